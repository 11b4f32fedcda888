#pragma once
#include <functional>
#include <string>
#include "core/base/error.h"
#include "core/cli/train_start.h"
#include "core/dist/group.h"

namespace charnn::cli {
/// Another process has failed, and says why itself.
class Relayed : public Error {
 public:
  using Error::Error;
};

/// Does some work in every process. If it throws Error in one, all throw: that process and rank 0 say why, the others
/// throw Relayed.
void together(Group& group, const std::function<void()>& work);

/// Throws Error (usage) that names the process if `text`, lines that describe `what`, differs from that of rank 0.
void require_same(Group& group, const std::string& what, const std::string& text);

/// The start of a training, new or resumed: rank 0 reads the run folder, the others get all from it. What torchrun has
/// started again after a failure is resumed: `request` then says so. Throws Error (usage) if a process has other
/// options, or another charnn, LibTorch or processor.
TrainStart start_together(Group& group, TrainRequest& request);

/// This process's place, with local_size as the number of processes that share its CPUs.
Place place_among_cpus(Group& group);

/// Remembers in a run folder which torchrun has trained there, if one has.
void note_launcher(const Place& place, const TrainStart& start);

/// A checkpoint that rank 0 reads.
Checkpoint load_together(Group& group, const std::string& path);
}  // namespace charnn::cli
