set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

# What every file of ours is compiled with; the agent adds its own (src/agent/CMakeLists.txt).
add_library(culprit_options INTERFACE)
target_compile_options(culprit_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers)
target_compile_definitions(culprit_options INTERFACE _GNU_SOURCE)
target_include_directories(culprit_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
if(CULPRIT_SANITIZE)
  target_compile_options(culprit_options INTERFACE -fsanitize=${CULPRIT_SANITIZE} -fno-omit-frame-pointer
                                                   -fno-sanitize-recover=undefined)
  target_link_options(culprit_options INTERFACE -fsanitize=${CULPRIT_SANITIZE})
endif()
