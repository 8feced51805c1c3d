// Recordings on the disk, of traces that a TraceBuilder made.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/trace_builder.h"
#include "trace/trace_writer.h"

namespace culprit::testing {

inline void record(TraceBuilder& trace, const std::string& path) {
  auto writer = TraceWriter::create(path, trace.tables(), trace.info());
  ASSERT_TRUE(writer) << writer.error().what;
  ASSERT_TRUE(trace.replay(**writer));
  auto finished = (*writer)->finish(trace.info());
  ASSERT_TRUE(finished) << finished.error().what;
}

}  // namespace culprit::testing
