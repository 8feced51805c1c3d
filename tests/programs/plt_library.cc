// Called through the PLT by hard_stacks, and calls back.
extern "C" int plt_call_back(int (*function)(int), int argument) { return function(argument) + 1; }
