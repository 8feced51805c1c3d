#include "capture/program_examination.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/syscall.h"
#include "base/text.h"
#include "target/elf_copy.h"
#include "format/elf.h"

namespace culprit {
namespace {

std::string first_bytes(const std::string& path, size_t count) {
  auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return "";
  std::string bytes(count, '\0');
  ssize_t got = pread(fd->get(), bytes.data(), count, 0);
  bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return bytes;
}

// "#! /usr/bin/env -S x" -> "/usr/bin/env"; empty: not a script.
std::string interpreter_of_script(const std::string& head) {
  if (!head.starts_with("#!")) return "";
  std::string line = head.substr(2, head.find('\n') == std::string::npos ? head.npos : head.find('\n') - 2);
  size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos) return "";
  return line.substr(begin, line.find_first_of(" \t\r", begin) - begin);
}

bool is_privileged(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return false;
  bool changes_user = (info.st_mode & S_ISUID) && info.st_uid != geteuid();
  bool changes_group = (info.st_mode & S_ISGID) && (info.st_mode & S_IXGRP) && info.st_gid != getegid();
  bool has_capabilities = geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
  return changes_user || changes_group || has_capabilities;
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

ProgramExamination examine_elf(const std::string& path) {
  auto as = [&](ProgramKind kind, std::string what) { return ProgramExamination{kind, path, std::move(what)}; };
  auto copy = copy_elf(path, ElfParts::headers);
  if (!copy && copy.error().kind == ErrorKind::unsupported) return as(ProgramKind::other_word_size, "a 32-bit program");
  if (!copy) return as(ProgramKind::unknown, "");
  auto elf = parse_elf(copy->bytes());
  if (!elf) return as(ProgramKind::unknown, "");
  if (elf->machine != elf::machine_x86_64) return as(ProgramKind::other_machine, "a program for another processor");
  if (elf->is_go()) {
    return as(ProgramKind::go_program,
              elf->is_static() ? "a static Go program" : "a Go program, which makes system calls without libc");
  }
  if (elf->is_static()) return as(ProgramKind::static_program, "a static program");
  std::string_view loader = base_name(elf->interpreter());
  if (!loader.empty() && !loader.starts_with("ld-linux-x86-64.so")) {
    return as(ProgramKind::foreign_loader, fmt::format("a program with the loader {}", printable(elf->interpreter())));
  }
  return as(ProgramKind::followable, "");
}

}  // namespace

std::string ProgramExamination::sight_reason() const {
  if (what.empty()) return "";
  return why_no_agent() +
         ", so its handle table is read from outside now and then; handles have names, but it is not known which code "
         "made them";
}

std::string ProgramExamination::why_no_agent() const {
  if (what.empty()) return "";
  return fmt::format("{} is {}: culprit's agent cannot see what it does", printable(base_name(path)), what);
}

Result<std::string> find_program(const std::string& name, const std::string& search_path) {
  auto is_program = [](const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
  };
  auto refuse = [&](const std::string& path) -> Result<std::string> {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0 && errno != EACCES) {
      return fail(ErrorKind::not_found, fmt::format("{}: no such program", printable(name)));
    }
    const char* why = S_ISDIR(info.st_mode) ? "it is a directory" : "permission denied";
    return fail(ErrorKind::no_access, fmt::format("{}: cannot be executed: {}", printable(path), why));
  };
  if (name.find('/') != std::string::npos) return is_program(name) ? Result<std::string>(name) : refuse(name);

  std::string forbidden;
  for (size_t begin = 0; begin <= search_path.size() && !name.empty();) {
    size_t end = std::min(search_path.find(':', begin), search_path.size());
    std::string folder = search_path.substr(begin, end - begin);
    std::string path = (folder.empty() ? "." : folder) + "/" + name;
    if (is_program(path)) return path;
    struct stat info {};
    if (forbidden.empty() && stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) forbidden = path;
    begin = end + 1;
  }
  if (!forbidden.empty()) return refuse(forbidden);
  return fail(ErrorKind::not_found, fmt::format("{}: no such program in PATH", printable(name)));
}

ProgramExamination examine_program(const std::string& path) {
  constexpr int script_depth = 5;  // as in the kernel's fs/exec.c
  std::string program = path;
  for (int depth = 0; depth < script_depth; depth++) {
    std::string head = first_bytes(program, 256);
    if (looks_like_elf(as_bytes(head))) {
      ProgramExamination found = examine_elf(program);
      if (!is_privileged(program)) return found;
      return {ProgramKind::privileged, program, "a program with rights of its own (set-uid, set-gid or capabilities)"};
    }
    std::string interpreter = interpreter_of_script(head);
    if (interpreter.empty()) break;
    program = interpreter;
  }
  return {ProgramKind::unknown, program, ""};
}

}  // namespace culprit
