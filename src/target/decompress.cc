#include "target/decompress.h"

#include <lz4frame.h>
#include <zstd.h>

#include <memory>
#include <vector>

namespace culprit {

namespace {

using namespace std::string_view_literals;

constexpr size_t piece_bytes = size_t{1} << 20;

struct FreeZstd {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};
struct FreeLz4 {
  void operator()(LZ4F_dctx* context) const { LZ4F_freeDecompressionContext(context); }
};

// Both libraries begin the next frame by themselves, if one follows.
Result<std::string> decompress_zstd(Bytes compressed, const ByteSink& sink) {
  std::unique_ptr<ZSTD_DStream, FreeZstd> stream(ZSTD_createDStream());
  if (stream == nullptr) return fail(ErrorKind::system, "out of memory");
  std::vector<std::byte> piece(piece_bytes);
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  for (size_t state = 1;;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    size_t read_before = in.pos;
    state = ZSTD_decompressStream(stream.get(), &out, &in);
    CULPRIT_TRY(sink(Bytes(piece).first(out.pos)));
    if (ZSTD_isError(state) != 0) return std::string("it is damaged (") + ZSTD_getErrorName(state) + ")";
    if (state == 0 && in.pos == in.size) return std::string();
    if (out.pos == 0 && in.pos == read_before) return std::string("it is cut off");
  }
}

Result<std::string> decompress_lz4(Bytes compressed, const ByteSink& sink) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0)
    return fail(ErrorKind::system, "out of memory");
  std::unique_ptr<LZ4F_dctx, FreeLz4> context(made);
  std::vector<std::byte> piece(piece_bytes);
  for (size_t position = 0;;) {
    size_t written = piece.size(), read = compressed.size() - position;
    size_t state = LZ4F_decompress(context.get(), piece.data(), &written, compressed.data() + position, &read, nullptr);
    // What a failed call says about its output is not to be relied on.
    if (LZ4F_isError(state) != 0) return std::string("it is damaged (") + LZ4F_getErrorName(state) + ")";
    position += read;
    CULPRIT_TRY(sink(Bytes(piece).first(written)));
    if (state == 0 && position == compressed.size()) return std::string();
    if (written == 0 && read == 0) return std::string("it is cut off");
  }
}

constexpr Compression compressions[] = {
    {"zstd", "\x28\xb5\x2f\xfd"sv, decompress_zstd, "zstd -d"},
    {"lz4", "\x04\x22\x4d\x18"sv, decompress_lz4, "lz4 -d"},
    {"xz", "\xfd\x37zXZ\0"sv, nullptr, "xz -d"},
    {"gzip", "\x1f\x8b"sv, nullptr, "gzip -d"},
    {"bzip2", "BZh"sv, nullptr, "bzip2 -d"},
};

}  // namespace

const Compression* compression_of(Bytes first_bytes) {
  for (const Compression& each : compressions)
    if (as_text(first_bytes).starts_with(each.magic)) return &each;
  return nullptr;
}

}  // namespace culprit
