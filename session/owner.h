// Who writes a file that others may find: the program's process, recognisable after its number was
// given to another. Any thread.
#pragma once

#include <QJsonObject>

namespace wiregrad::studio {

/// {"pid", "started", "host"} of this program.
QJsonObject ownerMark();
/// Whether the program that left the mark still runs. On another machine only that one could know:
/// true.
bool ownerIsAlive(const QJsonObject& mark);
/// Whether the mark is this program's own.
bool ownerIsThis(const QJsonObject& mark);

} // namespace wiregrad::studio
