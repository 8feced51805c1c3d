// Expressions as WinDbg's users type them (its MASM evaluator): `poi(@rsp+8) == orders!g_limit & 0n12`.
//
//   numbers    hexadecimal unless said otherwise: 1f, 0x1f, 1fh, 0n31 (decimal), 0t37 (octal), 0y11111 (binary),
//              00007ff6`c0012b90. A word of hexadecimal digits is a number: write module!add for a function `add`.
//   names      module!symbol, symbol, module (where it begins); @!"module!name<of any, form>()"; then registers
//   registers  @rax @eax @ax @al @ah … @rip @efl @zf @cf …; @$ip and . (rip), @$csp @$sp, @$retreg, @$tid, @$tpid
//   memory     by() wo() dwo() qwo() poi(): 1, 2, 4, 8, 8 bytes at an address
//   operators  as in C, without assignment; = is ==, mod % , and & , xor ^ , or | , not !, hi low; comparisons are
//              unsigned; && and || stop early
#pragma once

#include <string_view>

#include "target/expression.h"

namespace culprit {

// What names mean.
class ExpressionNames {
 public:
  virtual ~ExpressionNames() = default;
  // Whether a module is called so: module names hold + and -, which are operators elsewhere.
  virtual bool is_module(std::string_view name) = 0;
  // Of a symbol, with "module!" before it or not, or of a module. not_found: the sentence says what is missing.
  virtual Result<uint64_t> address_of(std::string_view name) = 0;
};

inline constexpr unsigned default_radix = 16;

// The whole text, to be evaluated as often as needed. ErrorKind::usage: it is none; the sentence shows the place.
Result<Expression> parse_expression(std::string_view text, ExpressionNames& names, unsigned radix = default_radix);

// The beginning of `text` up to where an expression can end: before a blank that no operator follows or precedes, a
// comma or a quote. What is left is in `rest`, without blanks in front. "@rip L10" -> "L10".
Result<Expression> parse_leading_expression(std::string_view text, ExpressionNames& names, std::string_view& rest,
                                            unsigned radix = default_radix);

// A register by its name without the @, "eax", as a step; nothing: there is none of that name.
std::optional<ExpressionStep> register_step(std::string_view name);

}  // namespace culprit
