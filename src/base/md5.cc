#include "base/md5.h"

#include <md5.h>

namespace culprit {

std::array<uint8_t, 16> md5(Bytes message) {
  MD5_CTX context;
  MD5Init(&context);
  MD5Update(&context, reinterpret_cast<const uint8_t*>(message.data()), message.size());
  std::array<uint8_t, 16> digest{};
  MD5Final(digest.data(), &context);
  return digest;
}

}  // namespace culprit
