#include "session/event_file.h"

#include <QSysInfo>

#include <array>
#include <bit>
#include <cstring>

namespace wiregrad::studio {

namespace {

constexpr std::array<std::uint32_t, 256> makeTable() {
    constexpr std::uint32_t kCastagnoli = 0x82f63b78U; // reflected
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) ? kCastagnoli : 0);
        table[i] = value;
    }
    return table;
}

/// Little-endian bytes of a number.
template <class T> QByteArray raw(T value) {
    static_assert(std::endian::native == std::endian::little);
    return QByteArray(reinterpret_cast<const char*>(&value), sizeof value);
}

QByteArray varint(std::uint64_t value) {
    QByteArray bytes;
    while (value >= 0x80) {
        bytes.append(char(value | 0x80));
        value >>= 7;
    }
    bytes.append(char(value));
    return bytes;
}

// Wire types of protocol buffers.
constexpr std::uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;
QByteArray key(std::uint64_t field, std::uint64_t type) {
    return varint(field << 3 | type);
}
QByteArray bytesField(std::uint64_t field, const QByteArray& bytes) {
    return key(field, kBytes) + varint(std::uint64_t(bytes.size())) + bytes;
}

/// Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
QByteArray event(double time, std::int64_t step, const QByteArray& what) {
    return key(1, kFixed64) + raw(time) + key(2, kVarint) + varint(std::uint64_t(step)) + what;
}

/// Summary { repeated Value value = 1; }, Value { string tag = 1; float simple_value = 2; }
QByteArray scalar(const QByteArray& tag, float value) {
    return bytesField(5, bytesField(1, bytesField(1, tag) + key(2, kFixed32) + raw(value)));
}

void record(QByteArray& file, const QByteArray& data) {
    const QByteArray length = raw(std::uint64_t(data.size()));
    file += length;
    file += raw(maskedCrc32c({length.constData(), std::size_t(length.size())}));
    file += data;
    file += raw(maskedCrc32c({data.constData(), std::size_t(data.size())}));
}

} // namespace

std::uint32_t crc32c(std::span<const char> bytes) {
    static constexpr auto kTable = makeTable();
    std::uint32_t value = 0xffffffffU;
    for (const char byte : bytes)
        value = (value >> 8) ^ kTable[(value ^ std::uint8_t(byte)) & 0xff];
    return ~value;
}

std::uint32_t maskedCrc32c(std::span<const char> bytes) {
    constexpr std::uint32_t kDelta = 0xa282ead8U;
    return std::rotr(crc32c(bytes), 15) + kDelta;
}

QByteArray eventFile(const MetricStore& store, double start) {
    const Curve* clock = store.find("seconds");
    const std::vector<CurvePoint> times =
        clock ? clock->sample(-1e300, 1e300, std::size_t(-1)) : std::vector<CurvePoint>{};
    QByteArray file;
    record(file, event(start, 0, bytesField(3, "brain.Event:2")));
    for (const std::string& name : store.names()) {
        if (name == "seconds") continue;
        const QByteArray tag = QByteArray::fromStdString(name);
        std::size_t at = 0;
        for (const CurvePoint& point : store.find(name)->sample(-1e300, 1e300, std::size_t(-1))) {
            while (at + 1 < times.size() && times[at].step < point.step)
                ++at;
            const double time = start + (at < times.size() ? times[at].last : 0);
            record(file, event(time, std::int64_t(point.step), scalar(tag, float(point.last))));
        }
    }
    return file;
}

QString eventFileName(double start) {
    return QStringLiteral("events.out.tfevents.%1.%2")
        .arg(qint64(start))
        .arg(QSysInfo::machineHostName());
}

} // namespace wiregrad::studio
