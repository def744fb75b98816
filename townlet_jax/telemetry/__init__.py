"""What a town tells the outside: records, frames of watched towns, measures over all towns."""
