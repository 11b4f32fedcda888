#include "core/base/terminal.h"
#include <string>
#include <gtest/gtest.h>

namespace charnn {
namespace {

TEST(Terminal, WritesOutWhatCouldAct) {
  EXPECT_EQ(safe_for_terminal("plain, \n\tö€😀"), "plain, \n\tö€😀");
  EXPECT_EQ(safe_for_terminal("\x1b[31m\x07\x7f"), "\\x1b[31m\\x07\\x7f");
  EXPECT_EQ(safe_for_terminal("\xc2\x9b[31m"), "\\u009b[31m") << "C1, which begins sequences too";
  EXPECT_EQ(safe_for_terminal(std::string("a\xe2\x80\xae") + "b"), "a\\u202eb") << "would show b before a";
  EXPECT_EQ(safe_for_terminal("\xef\xbf\xbf"), "\\uffff");
  EXPECT_EQ(safe_for_terminal(std::string("a\xff") + "b\xe2\x82"), "a\\xffb\\xe2\\x82");
  EXPECT_EQ(safe_for_terminal("one\r\ntwo\rthree\r"), "one\ntwo\\x0dthree\\x0d");
}

TEST(Terminal, AStreamIsCutAnywhere) {
  const std::string text = "one\r\ntwö €\xff 😀\x1b[0m\r";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    SafeText safe;
    std::string shown = safe.add(text.substr(0, cut));
    shown += safe.add(text.substr(cut));
    EXPECT_EQ(shown + safe.finish(), safe_for_terminal(text)) << cut;
  }
}

TEST(Terminal, PrintableHidesControls) {
  EXPECT_EQ(printable(U'\n'), "'\\n'");
  EXPECT_EQ(printable(0x1b), "U+001B");
  EXPECT_EQ(printable(0x9b), "U+009B");
  EXPECT_EQ(printable(0x202e), "U+202E");
  EXPECT_EQ(printable(U'é'), "'é'");
}

TEST(Terminal, OnOneLine) {
  EXPECT_EQ(on_one_line("a\tb\nc\\d\x1b\x7f\u00e9 \r"), "a\\tb\\nc\\\\d\\x1b\\x7f\u00e9 \\x0d");
  EXPECT_EQ(on_one_line(""), "");
}

}  // namespace
}  // namespace charnn
