#include "ui/theme/tokens.h"

namespace wiregrad::studio {

namespace {

constexpr QRgb rgb(unsigned value) {
    return 0xff000000u | value;
}

// In the order of enum Token.
constexpr TokenTable kDark = {
    rgb(0x16191f), rgb(0x1e222a), rgb(0x272c36), rgb(0x39414f),
    rgb(0xe4e8ef), rgb(0x98a2b3),                // Window .. TextMuted
    rgb(0x4ba3f5), rgb(0x0b1520), rgb(0xffb454), // Accent, AccentText, Selection
    rgb(0x181b22), rgb(0x21262f), rgb(0x2a303b), rgb(0x2b313c),
    rgb(0x464f5f), rgb(0xeef1f6),                               // Canvas .. NodeText
    rgb(0xa3adbd), 0x78000000u,                                 // NodeTextMuted, NodeShadow
    rgb(0x5ab4f7), rgb(0xe7b84b), rgb(0xf2719b), rgb(0xff6b5e), // wires
    rgb(0xff6b5e), rgb(0xf0b429), rgb(0x5ab4f7), rgb(0x4cc38a), // Error, Warning, Info, Success
    rgb(0x1a1d24), rgb(0x2c323d),                               // plot
    rgb(0x4ba3f5), rgb(0xf2a33a), rgb(0x3fc79a), rgb(0xe06fb0),
    rgb(0xe9d75a), rgb(0xa08cff),                // curves
    rgb(0x3f8efc), rgb(0x1a1d24), rgb(0xff8c42), // heat
};

constexpr TokenTable kLight = {
    rgb(0xe6e9ee), rgb(0xf5f6f8), rgb(0xffffff), rgb(0xcbd1da), rgb(0x1c222b), rgb(0x566172),
    rgb(0x1a6fc4), rgb(0xffffff), rgb(0xc4620a), rgb(0xeef0f4), rgb(0xe2e6ec), rgb(0xd5dae2),
    rgb(0xffffff), rgb(0xb4bcc8), rgb(0x1c222b), rgb(0x566172), 0x30000000u,   rgb(0x1f78c8),
    rgb(0x9a6b00), rgb(0xb8316a), rgb(0xc62f23), rgb(0xc62f23), rgb(0x9a6500), rgb(0x1a6fc4),
    rgb(0x1b7f4f), rgb(0xffffff), rgb(0xe3e7ed), rgb(0x1a6fc4), rgb(0xc96a00), rgb(0x12855c),
    rgb(0xb03a85), rgb(0x8a7400), rgb(0x6a4fd0), rgb(0x1f6fe0), rgb(0xf7f7f7), rgb(0xd9580a),
};

// In the order of graph::kCategories. Found by a search for the largest smallest distance: any two
// differ by at least 18 (CIELAB, 1976) as seen with normal sight, protanopia, deuteranopia and
// tritanopia; tests/ui/theme_test.cpp checks it.
constexpr CategoryTable kDarkCategories = {
    rgb(0x0bae8e), rgb(0x97d6ff), rgb(0x707fff), rgb(0xa5a4ff), rgb(0x44f3a5),
    rgb(0xe0714c), rgb(0xb1e776), rgb(0xefce3c), rgb(0xfa4674), rgb(0xb978b5),
    rgb(0xca8807), rgb(0x8a5aba), rgb(0xdcd5d7)};
constexpr CategoryTable kLightCategories = {
    rgb(0x239fae), rgb(0x7d8dd3), rgb(0x1e4aaa), rgb(0xa377f5), rgb(0x25774a),
    rgb(0x964e00), rgb(0x8a9901), rgb(0xa98d4d), rgb(0xc77c7e), rgb(0x84377b),
    rgb(0x9b1e27), rgb(0x0c0a2e), rgb(0x534f53)};

} // namespace

const TokenTable& tokenTable(bool dark) {
    return dark ? kDark : kLight;
}
const CategoryTable& categoryTable(bool dark) {
    return dark ? kDarkCategories : kLightCategories;
}

} // namespace wiregrad::studio
