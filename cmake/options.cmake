set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Linking LLVM statically takes a gigabyte or so: one link at a time, beside as many compilers as there are processors.
set_property(GLOBAL PROPERTY JOB_POOLS link=1)
set(CMAKE_JOB_POOL_LINK link)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# What every file of ours is compiled with; the agent adds its own (src/agent/CMakeLists.txt).
add_library(culprit_options INTERFACE)
target_compile_options(culprit_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers
                                                 -ffunction-sections -fdata-sections)
# GCC 12 sees overlapping copies in std::string::insert where there are none (its bug 105651).
target_compile_options(culprit_options INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict -Wno-maybe-uninitialized>)
# Most of LLVM is never called.
target_link_options(culprit_options INTERFACE -Wl,--gc-sections)
target_compile_definitions(culprit_options INTERFACE _GNU_SOURCE)
target_include_directories(culprit_options INTERFACE ${PROJECT_SOURCE_DIR}/src)

if(CULPRIT_SANITIZE)
  # vptr needs type information, which LLVM is built without.
  set(sanitize -fsanitize=${CULPRIT_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_compile_options(culprit_options INTERFACE ${sanitize})
  target_link_options(culprit_options INTERFACE ${sanitize})
endif()
if(CULPRIT_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "CULPRIT_FUZZ needs clang: use the preset fuzz or asan")
  endif()
  # Coverage in every room, so that the fuzzers see into all of them.
  target_compile_options(culprit_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(culprit_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
