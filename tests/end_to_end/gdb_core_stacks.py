# Run by gdb on a core: prints the stack of each thread as
#   thread TID ADDRESS …        innermost first, in hex; inlined and tail-call frames left out
import gdb

gdb.execute("set pagination off")
gdb.execute("set debuginfod enabled off")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace limit 1000")
for thread in gdb.selected_inferior().threads():
    thread.switch()
    addresses, frame = [], gdb.newest_frame()
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            addresses.append(f"{frame.pc():x}")
        frame = frame.older()
    print("thread", thread.ptid[1] or thread.ptid[0], *addresses, flush=True)
