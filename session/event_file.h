// Writes curves as a TensorBoard event file: records with masked CRC-32C checksums around protocol
// buffer messages, both written here. Any thread.
#pragma once

#include <QByteArray>
#include <QString>

#include <cstdint>
#include <span>

#include "session/metric_store.h"

namespace wiregrad::studio {

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::span<const char> bytes);
/// The same, rotated and shifted as event files store it.
std::uint32_t maskedCrc32c(std::span<const char> bytes);

/// All curves of `store` as scalars. `start` is the run's beginning in seconds since 1970; the
/// curve "seconds", where there is one, gives each point its time.
QByteArray eventFile(const MetricStore& store, double start);
/// "events.out.tfevents.1700000000.host": what TensorBoard looks for.
QString eventFileName(double start);

} // namespace wiregrad::studio
