"""What the kernel and a front end say to each other: one comm, `carbon_magic`.

`messages.py` makes the messages as `views/browser/types.d.ts` describes them, `samples.py` keeps the power of the
session for charts, `lease.py` knows who looks, `link.py` is the comm itself.
"""
