#include "capture/ring_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

namespace culprit {
namespace {

class Heard : public RecordSink {
 public:
  void on_record(const culprit_record& record) override { values.push_back(record.value); }
  void on_string(uint32_t id, std::string_view text) override { strings.emplace_back(id, text); }
  std::vector<int> values;
  std::vector<std::pair<uint32_t, std::string>> strings;
};

class RingReaderTest : public ::testing::Test {
 protected:
  void write(uint8_t kind, int value, uint32_t argument = 0, uint32_t node = 0) {
    culprit_record record{};
    record.kind = kind;
    record.value = value;
    record.argument = argument;
    record.node = node;
    slot_->ring[slot_->head++ % CULPRIT_RING_RECORDS] = record;
  }
  void write_text(std::string_view text) {
    for (size_t at = 0; at < text.size(); at += 32) {
      std::memcpy(&slot_->ring[slot_->head++ % CULPRIT_RING_RECORDS], text.data() + at,
                  std::min<size_t>(32, text.size() - at));
    }
  }

  std::unique_ptr<culprit_slot> slot_ = std::make_unique<culprit_slot>();
  RingReader reader_;
  Heard heard_;
};

TEST_F(RingReaderTest, TakesRecordsInOrderAndMakesRoom) {
  for (int i = 0; i < 3; i++) write(CULPRIT_RECORD_CLOSE, i);
  EXPECT_EQ(reader_.drain(*slot_, heard_), 3u);
  EXPECT_EQ(heard_.values, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(slot_->tail, 3u);
  EXPECT_EQ(reader_.drain(*slot_, heard_), 0u);
}

TEST_F(RingReaderTest, TakesAFullRing) {
  for (uint32_t i = 0; i < CULPRIT_RING_RECORDS; i++) write(CULPRIT_RECORD_CLOSE, static_cast<int>(i));
  EXPECT_EQ(reader_.drain(*slot_, heard_), CULPRIT_RING_RECORDS);
  EXPECT_EQ(reader_.take_bad_records(), 0u);
}

TEST_F(RingReaderTest, PutsNamesTogetherAcrossTheEndOfTheRing) {
  for (uint32_t i = 0; i < CULPRIT_RING_RECORDS - 2; i++) write(CULPRIT_RECORD_CLOSE, 1);
  reader_.drain(*slot_, heard_);
  std::string name(100, 'n');
  name += "end";
  write(CULPRIT_RECORD_STRING, 0, static_cast<uint32_t>(name.size()), 7);
  write_text(name);
  write(CULPRIT_RECORD_CLOSE, 42);
  reader_.drain(*slot_, heard_);
  ASSERT_EQ(heard_.strings.size(), 1u);
  EXPECT_EQ(heard_.strings[0], std::pair(7u, name));
  EXPECT_EQ(heard_.values.back(), 42);
}

TEST_F(RingReaderTest, CountsANameWithoutBytesAndGoesOn) {
  write(CULPRIT_RECORD_STRING, 0, 4000, 1);
  write(CULPRIT_RECORD_STRING, 0, UINT32_MAX, 1);
  write(CULPRIT_RECORD_CLOSE, 5);
  reader_.drain(*slot_, heard_);
  EXPECT_EQ(reader_.take_bad_records(), 2u);
  EXPECT_TRUE(heard_.strings.empty());
  EXPECT_EQ(heard_.values, std::vector<int>{5});
}

TEST_F(RingReaderTest, SkipsWhatAHeadThatJumpedOrRanBackwardsClaims) {
  write(CULPRIT_RECORD_CLOSE, 1);
  reader_.drain(*slot_, heard_);
  slot_->head = uint64_t{1} << 60;
  EXPECT_EQ(reader_.drain(*slot_, heard_), 0u);
  EXPECT_EQ(slot_->tail, uint64_t{1} << 60);
  slot_->head = 3;
  EXPECT_EQ(reader_.drain(*slot_, heard_), 0u);
  EXPECT_EQ(reader_.take_bad_records(), 2u);
  write(CULPRIT_RECORD_CLOSE, 9);
  EXPECT_EQ(reader_.drain(*slot_, heard_), 1u);
  EXPECT_EQ(heard_.values.back(), 9);
}

}  // namespace
}  // namespace culprit
