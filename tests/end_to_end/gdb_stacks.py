# Run by gdb: prints the stack at every eventfd2() whose initial value is 1000 or more, as
#   stack INITIAL_VALUE MODULE+0xADDRESS …        innermost first, link-time addresses; inlined and tail-call frames left out
# With CULPRIT_CORES=FOLDER it leaves a core there each time, called INITIAL_VALUE, and prints
#   core INITIAL_VALUE TID ADDRESS …              absolute, in hex
import gdb
import os
import struct


def link_time_base(path, cache={}):
    """The address of the first loaded byte of an ELF file, by its own headers, rounded down to a page."""
    if path not in cache:
        with open(path, "rb") as file:
            header = file.read(64)
            offset, size, count = struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54)
            file.seek(offset)
            table = file.read(size * count)
        loads = [struct.unpack_from("<QQ", table, i * size + 8) for i in range(count)
                 if struct.unpack_from("<I", table, i * size)[0] == 1]
        cache[path] = min(address - offset for offset, address in loads) & ~0xfff
    return cache[path]


def modules(pid):
    found, first = [], {}
    for line in open(f"/proc/{pid}/maps"):
        fields = line.split(maxsplit=5)
        path = fields[5].strip() if len(fields) > 5 else ""
        start, end = (int(part, 16) for part in fields[0].split("-"))
        if path.startswith("/") or path == "[vdso]":
            first.setdefault(path, start - int(fields[2], 16))
            found.append((start, end, path))
    return found, first


def place(pc, found, first):
    for start, end, path in found:
        if start <= pc < end:
            base = link_time_base(path) if path.startswith("/") else 0
            return f"{path}+{pc - first[path] + base:#x}"
    return f"?+{pc:#x}"


def show_stack(value):
    found, first = modules(gdb.selected_inferior().pid)
    addresses, frame = [], gdb.newest_frame()
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            addresses.append(frame.pc())
        frame = frame.older()
    print("stack", value, *(place(pc, found, first) for pc in addresses), flush=True)
    if cores:
        gdb.execute(f"gcore {cores}/{value}", to_string=True)
        print("core", value, gdb.selected_thread().ptid[1], *(f"{pc:x}" for pc in addresses), flush=True)


cores = os.environ.get("CULPRIT_CORES")
gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("set debuginfod enabled off")
gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace limit 500")
gdb.execute("handle all nostop noprint pass")
gdb.execute("catch syscall eventfd2")
gdb.execute("run > /dev/null")
seen = set()
while gdb.selected_inferior().pid != 0:
    value = int(gdb.parse_and_eval("$rdi")) & 0xffffffff
    if value >= 1000 and value not in seen:
        seen.add(value)
        show_stack(value)
    gdb.execute("continue")
