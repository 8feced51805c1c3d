// The ways to make a handle that every_way.cc walks through. Each is a function of its own, so that the creating stack
// can be asked for it, and leaves what it made open.
#pragma once

#include <span>

// How the number of a handle came into being.
enum class Origin {
  libc,    // a system call issued by libc returned it or wrote it down: the agent can see it
  unseen,  // a raw system call, a kernel worker or somebody else's call: only /proc/PID/fd tells
};

struct Way {
  const char* name;  // the function is way_<name>
  void (*run)();
};

// Notes that the running way made `number` (or failed, with errno) and gives it back.
int made(int number, Origin origin = Origin::libc);

// The running way opens and closes inside libc and leaves nothing open.
void passing();

std::span<const Way> file_ways();
std::span<const Way> duplicate_ways();
std::span<const Way> socket_ways();
std::span<const Way> kernel_object_ways();
std::span<const Way> library_ways();
std::span<const Way> unseen_ways();

#define WAY(name) extern "C" __attribute__((noinline)) void way_##name()
#define ROW(name) \
  Way { #name, way_##name }
