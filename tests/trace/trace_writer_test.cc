#include "trace/trace_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "support/event_log.h"
#include "support/sample_events.h"
#include "trace/trace_reader.h"

namespace culprit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<TraceWriter> writer_to(const std::string& path, const SampleProgram& sample) {
  return std::move(TraceWriter::create(path, sample.tables, sample.info()).value());
}

TEST(TraceWriter, KeepsThePartialNameUntilItIsFinished) {
  TemporaryDirectory directory;
  SampleProgram sample;
  auto writer = writer_to(directory / "x.culprit", sample);
  EXPECT_TRUE(std::filesystem::exists(directory / "x.culprit.partial"));
  EXPECT_FALSE(std::filesystem::exists(directory / "x.culprit"));
  ASSERT_TRUE(writer->finish(sample.info()));
  EXPECT_FALSE(std::filesystem::exists(directory / "x.culprit.partial"));
  EXPECT_TRUE((*open_trace(directory / "x.culprit"))->info().complete);
}

TEST(TraceWriter, LeavesAnOlderRecordingUntilItReplacesIt) {
  TemporaryDirectory directory;
  SampleProgram sample;
  std::ofstream(directory / "x.culprit") << "old";
  auto writer = writer_to(directory / "x.culprit", sample);
  EXPECT_EQ(std::filesystem::file_size(directory / "x.culprit"), 3u);
  ASSERT_TRUE(writer->finish(sample.info()));
  EXPECT_TRUE(open_trace(directory / "x.culprit"));
}

TEST(TraceWriter, RefusesAPathThatAnotherOneIsRecordingTo) {
  TemporaryDirectory directory;
  SampleProgram sample;
  auto first = writer_to(directory / "x.culprit", sample);
  auto second = TraceWriter::create(directory / "x.culprit", sample.tables, sample.info());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("another culprit is recording to"));
  first->on_handle(sample.opened(1000, 3));
  ASSERT_TRUE(first->finish(sample.info()));
  EXPECT_EQ(replayed(**open_trace(directory / "x.culprit")).lines.size(), 1u);
}

TEST(TraceWriter, OverwritesThePartialFileOfADeadRecorder) {
  TemporaryDirectory directory;
  SampleProgram sample;
  std::ofstream(directory / "x.culprit.partial") << std::string(100'000, 'x');
  auto writer = writer_to(directory / "x.culprit", sample);
  ASSERT_TRUE(writer->finish(sample.info()));
  EXPECT_THAT(replayed(**open_trace(directory / "x.culprit")).losses, ElementsAre());
}

TEST(TraceWriter, SaysWhyItCannotRecordToAPlace) {
  TemporaryDirectory directory;
  SampleProgram sample;
  auto is_directory = TraceWriter::create(directory.path, sample.tables, sample.info());
  ASSERT_FALSE(is_directory);
  EXPECT_THAT(is_directory.error().what, HasSubstr("is a directory"));
  auto no_directory = TraceWriter::create(directory / "none/x.culprit", sample.tables, sample.info());
  ASSERT_FALSE(no_directory);
  EXPECT_EQ(no_directory.error().kind, ErrorKind::not_found);
}

TEST(TraceWriter, KilledWhileRecordingLeavesAReadablePartialFile) {
  TemporaryDirectory directory;
  SampleProgram sample;
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  Fd read_end(ready[0]), write_end(ready[1]);
  pid_t child = ::fork();
  if (child == 0) {
    auto writer = writer_to(directory / "x.culprit", sample);
    for (int64_t i = 0; i < 1000; ++i) writer->on_handle(sample.opened(1000 + i, i));
    writer->flush();
    for (int64_t i = 0; i < 10; ++i) writer->on_handle(sample.closed(3000 + i, i));
    (void)!::write(write_end.get(), "x", 1);
    for (;;) ::pause();
  }
  write_end.reset();
  char byte = 0;
  EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);

  auto while_recording = open_trace(directory / "x.culprit.partial");
  ASSERT_TRUE(while_recording);
  EXPECT_TRUE((*while_recording)->info().being_recorded);
  EXPECT_THAT(replayed(**while_recording).losses, ElementsAre(HasSubstr("it is still being recorded")));

  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  auto afterwards = open_trace(directory / "x.culprit.partial");
  ASSERT_TRUE(afterwards);
  EXPECT_FALSE((*afterwards)->info().being_recorded);
  EventLog log = replayed(**afterwards);
  EXPECT_EQ(log.lines.size(), 1000u);
  EXPECT_THAT(log.losses, ElementsAre(HasSubstr("its recorder did not finish")));
}

// The file size limit stands for a full disk. It is a limit of the whole process, so a child takes it.
template <typename Body>
int status_of_child(Body body) {
  pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

void limit_file_size(rlim_t bytes) {
  rlimit limit{bytes, RLIM_INFINITY};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(TraceWriter, WritesLaterWhatTheFullDiskRefused) {
  TemporaryDirectory directory;
  SampleProgram sample;
  int status = status_of_child([&] {
    auto writer = writer_to(directory / "x.culprit", sample);
    writer->on_handle(sample.opened(1000, 3));
    writer->flush();
    limit_file_size(writer->bytes_written() + 100);
    writer->on_handle(sample.closed(2000, 3));
    writer->flush();
    EXPECT_EQ(replayed(**open_trace(directory / "x.culprit.partial")).lines.size(), 1u);
    limit_file_size(RLIM_INFINITY);
    ASSERT_TRUE(writer->finish(sample.info()));
  });
  EXPECT_EQ(status, 0);
  EventLog log = replayed(**open_trace(directory / "x.culprit"));
  EXPECT_EQ(log.lines.size(), 2u);
  EXPECT_THAT(log.losses, ElementsAre());
}

TEST(TraceWriter, KeepsWhatFitsOnAFullDiskAndSaysWhatIsMissing) {
  TemporaryDirectory directory;
  SampleProgram sample;
  int status = status_of_child([&] {
    auto writer = writer_to(directory / "x.culprit", sample);
    writer->on_handle(sample.opened(1000, 3));
    writer->flush();
    limit_file_size(writer->bytes_written() + 100);
    writer->on_loss({.kind = LossKind::ring_full, .count = 7, .process = sample.server});
    writer->on_handle(sample.closed(2000, 3));
    auto result = writer->finish(sample.info());
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().what, HasSubstr("the recording is not complete: cannot write"));
    EventLog own = replayed(*writer->reopen().value());
    EXPECT_EQ(own.lines.size(), 1u);
    EXPECT_TRUE(own.lost("write_failed"));
    EXPECT_TRUE(own.lost("ring_full 7 of 100"));
    EXPECT_TRUE(own.lost("recording_incomplete"));
  });
  EXPECT_EQ(status, 0);
  EventLog log = replayed(**open_trace(directory / "x.culprit.partial"));
  EXPECT_EQ(log.lines.size(), 1u);
  EXPECT_TRUE(log.lost("recording_incomplete"));
}

TEST(TraceWriter, ReadsBackWhatItWroteToADirectoryThatIsGone) {
  TemporaryDirectory directory;
  SampleProgram sample;
  auto writer = writer_to(directory / "x.culprit", sample);
  writer->on_handle(sample.opened(1000, 3));
  std::filesystem::remove_all(directory.path);
  auto result = writer->finish(sample.info());
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().what, HasSubstr("cannot rename"));
  EXPECT_EQ(replayed(*writer->reopen().value()).lines.size(), 1u);
}

TEST(TraceWriter, NeverReplacesAPipeADeviceOrALink) {
  TemporaryDirectory directory;
  TraceTables tables;
  std::string pipe = directory / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  auto refused = TraceWriter::create(pipe, tables, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, ::testing::HasSubstr("no ordinary file"));
  // Also one that came while it was recorded.
  std::string path = directory / "x.culprit";
  auto writer = TraceWriter::create(path, tables, {});
  ASSERT_TRUE(writer) << writer.error().what;
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE((*writer)->finish({}));
  struct stat there {};
  ASSERT_EQ(::lstat(path.c_str(), &there), 0);
  EXPECT_TRUE(S_ISFIFO(there.st_mode));
}

}  // namespace
}  // namespace culprit
