#pragma once
#include <functional>
#include <string>
#include "extras/play/site.h"

namespace charnn::play {
/// Serves a site over HTTP until `stop`, which is polled. `make` gets the port and returns the site. `port` 0: any that
/// is free. Throws Error (usage) if it cannot listen there.
void serve_http(const std::string& host, int port, const std::function<Site(int port)>& make,
                const std::function<bool()>& stop);
}  // namespace charnn::play
