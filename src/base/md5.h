// MD5 (RFC 1321): no protection against anybody; the hash by which WinDbg and we call equal crashes.
#pragma once

#include <array>

#include "base/bytes.h"

namespace culprit {

std::array<uint8_t, 16> md5(Bytes message);

}  // namespace culprit
