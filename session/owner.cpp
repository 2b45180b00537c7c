#include "session/owner.h"

#include <QCoreApplication>
#include <QFile>
#include <QSysInfo>

#include <cerrno>
#include <csignal>

namespace wiregrad::studio {

namespace {

const QString kPid = QStringLiteral("pid"), kStarted = QStringLiteral("started"),
              kHost = QStringLiteral("host");

/// When a process of that id was started, in clock ticks since boot: tells a living owner from a
/// re-used number.
QString processStart(qint64 pid) {
    QFile file(QStringLiteral("/proc/%1/stat").arg(pid));
    if (!file.open(QIODevice::ReadOnly)) return {};
    const QByteArray text = file.readAll();
    const QList<QByteArray> fields = text.mid(text.lastIndexOf(')') + 2).split(' ');
    constexpr int kStartTime = 19; // field 22 of proc(5), counted after the name
    return fields.size() > kStartTime ? QString::fromLatin1(fields[kStartTime]) : QString();
}

/// The machine: its id, which stays when a network gives it another name; else its name.
QString thisMachine() {
    const QByteArray id = QSysInfo::machineUniqueId();
    return id.isEmpty() ? QSysInfo::machineHostName() : QString::fromLatin1(id);
}

} // namespace

QJsonObject ownerMark() {
    const qint64 pid = QCoreApplication::applicationPid();
    return {{kPid, double(pid)}, {kStarted, processStart(pid)}, {kHost, thisMachine()}};
}

bool ownerIsAlive(const QJsonObject& mark) {
    const QString host = mark.value(kHost).toString();
    // Marks of earlier versions hold the name.
    if (host != thisMachine() && host != QSysInfo::machineHostName()) return true;
    const auto pid = pid_t(mark.value(kPid).toDouble());
    if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH)) return false;
    const QString started = mark.value(kStarted).toString();
    return started.isEmpty() || started == processStart(pid);
}

bool ownerIsThis(const QJsonObject& mark) {
    const QJsonObject own = ownerMark();
    return mark.value(kPid) == own.value(kPid) && mark.value(kStarted) == own.value(kStarted) &&
           mark.value(kHost) == own.value(kHost);
}

} // namespace wiregrad::studio
