import collections, time, sys
from traces.recordings import NAMES, read, recorded_cells
from traces.replay import play
from traces.here import cells_here
def test_try():
    out=open('/tmp/diff.txt','w')
    for n in NAMES:
        t0=time.time(); r=read(n); p=play(r); t1=time.time()
        D=collections.OrderedDict()
        for l in r.ticks:
            t=l['tick']; a=recorded_cells(r,t); b=cells_here(r,p,t)
            for k in sorted(set(a)|set(b)):
                x,y=a.get(k,'-'),b.get(k,'-')
                same = abs(x-y)<=1e-5 if isinstance(x,float) and isinstance(y,(int,float)) else x==y
                if not same: D.setdefault(k,[]).append((t,x,y))
        out.write(f'===== {n} {t1-t0:.1f} {time.time()-t1:.1f}\n')
        for k,v in D.items():
            if k[0]=='last_action.ok' and all(y is True for _,_,y in v): out.write(f'{k} {len(v)} wait ok\n'); continue
            s=' '.join(f'{t}:{x if not isinstance(x,float) else round(x,5)}|{y if not isinstance(y,float) else round(y,5)}' for t,x,y in v)
            out.write(f'{k} n={len(v)} [{v[0][0]}..{v[-1][0]}] {s[:300]}\n')
