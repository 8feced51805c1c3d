// Who follows which handles are open, for a circular recording: when events fall out of the file, what they opened and
// is still open must not be forgotten.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "model/carried.h"

namespace culprit {

class OpenHandleSource {
 public:
  virtual ~OpenHandleSource() = default;

  struct Moment {
    Time as_of = 0;
    uint64_t events = 0;  // that went into it
  };
  // Chooses a moment, as late as can be: all events up to it that were recorded so far have gone into the tables.
  // nullopt: not now (a snapshot is being settled); with `must`, always gives one.
  virtual std::optional<Moment> settle(bool must) = 0;
  // The tables as of that moment, one by one; nothing is recorded meanwhile.
  virtual void send_tables(const std::function<void(const CarriedTable&)>& send) = 0;
};

}  // namespace culprit
