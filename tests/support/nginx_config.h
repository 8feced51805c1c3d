// How nginx is run by tests: in a folder of its own, in the foreground, with two workers.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "support/run_culprit.h"

namespace culprit::test {

// Writes what it needs, and a page of 20,000 bytes. It listens on a unix socket, so that no port can be taken by
// somebody else, and writes the file "pid" when it does.
inline void make_nginx_folder(const TemporaryFolder& folder) {
  write_file(folder / "page", std::string(20000, 'n'));
  write_file(folder / "nginx.conf",
             "daemon off; master_process on; worker_processes 2; error_log " + (folder / "error.log") + "; pid " +
                 (folder / "pid") + ";\nevents { worker_connections 128; }\nhttp { access_log off; " +
                 "client_body_temp_path " + (folder / "b") + "; proxy_temp_path " + (folder / "p") +
                 "; fastcgi_temp_path " + (folder / "f") + "; uwsgi_temp_path " + (folder / "u") + "; scgi_temp_path " +
                 (folder / "s") + ";\nserver { listen unix:" + (folder / "socket") + "; root " + folder.path() +
                 "; } }\n");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
}

// As many requests for the page over each of eight connections; how many bytes each got.
inline std::string ask_nginx(const TemporaryFolder& folder, int requests) {
  const std::string script = "for i in 1 2 3 4 5 6 7 8; do '" + tool("curl") + "' -sf --unix-socket '" +
                             (folder / "socket") + "' 'http://localhost/page?[1-" + std::to_string(requests) +
                             "]' | wc -c & done; wait";
  return run({"/bin/sh", "-c", script}).out;
}
inline std::string nginx_answers(int requests) {
  std::string all;
  for (int i = 0; i < 8; i++) all += std::to_string(requests * 20000) + "\n";
  return all;
}

}  // namespace culprit::test
