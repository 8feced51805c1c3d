# One folder of src/ is one room is one static library: culprit_room(format base model) in src/format/CMakeLists.txt
# compiles all its .cc files and lets it use base and model (and whatever those show).
function(culprit_room name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(sources)
    add_library(culprit_${name} STATIC ${sources})
    set(visibility PUBLIC)
  else()
    add_library(culprit_${name} INTERFACE)
    set(visibility INTERFACE)
  endif()
  target_link_libraries(culprit_${name} ${visibility} culprit_options)
  foreach(used ${ARGN})
    target_link_libraries(culprit_${name} ${visibility} culprit_${used})
  endforeach()
endfunction()

# All tests/<room>/*_test.cc become one program, build/<preset>/tests/<room>_tests, and each test in it one ctest.
function(culprit_tests room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${room}_tests ${sources})
  target_link_libraries(${room}_tests PRIVATE ${ARGN} culprit_test_support GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${room}_tests TEST_PREFIX "${CULPRIT_TEST_PREFIX}" DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 300 ENVIRONMENT "${CULPRIT_TEST_ENVIRONMENT}")
endfunction()

# The rooms named by the first line of a fuzzer or benchmark, `// links: format trace`, as libraries.
function(culprit_linked_rooms source result)
  file(STRINGS ${source} first LIMIT_COUNT 1)
  if(NOT first MATCHES "^// links: (.+)$")
    message(FATAL_ERROR "${source}: its first line must name the rooms it links: // links: format trace")
  endif()
  string(REPLACE " " ";" rooms "${CMAKE_MATCH_1}")
  list(TRANSFORM rooms PREPEND culprit_)
  set(${result} ${rooms} PARENT_SCOPE)
endfunction()
