// Little tales for character networks: sentences of a small grammar, drawn by seed. The alphabet is
// fixed, so that a network fits whatever the seed is.
#include "datasets/sources/tales.h"

#include <array>
#include <span>
#include <string_view>

#include "datasets/random.h"

namespace wiregrad::data {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::string_view kPeople[] = {"the miller",  "the old king",   "a young sailor",
                                        "the widow",   "a quiet weaver", "the gardener",
                                        "the captain", "a lost child",   "the blacksmith",
                                        "the queen",   "a grey fox",     "the lighthouse keeper"};
constexpr std::string_view kNames[] = {
    "Anna",  "Bertil", "Clara",   "Dorian", "Elsa",  "Fenna", "Gustav", "Hanna",  "Ivo",
    "Jorun", "Karla",  "Lennart", "Mira",   "Nils",  "Odile", "Piet",   "Quirin", "Rosa",
    "Sven",  "Tilda",  "Ulrik",   "Vera",   "Wanda", "Xaver", "Ylva",   "Zora"};
constexpr std::string_view kPlaces[] = {"the mill",      "the dark wood",   "the harbour",
                                        "the long road", "a narrow bridge", "the market",
                                        "the tower",     "the frozen lake", "an empty house",
                                        "the hill",      "the river",       "the castle yard"};
constexpr std::string_view kThings[] = {"a silver key",  "an old map",     "the last apple",
                                        "a broken bell", "a heavy box",    "three black stones",
                                        "a red lantern", "the golden cup", "a letter",
                                        "a warm coat",   "a small boat",   "the wooden flute"};
constexpr std::string_view kDone[] = {"found", "lost",   "carried", "hid",    "sold",
                                      "stole", "mended", "buried",  "wanted", "dreamt of"};
constexpr std::string_view kMoved[] = {"walked", "ran",  "rode",    "crept",
                                       "sailed", "came", "hurried", "wandered"};
constexpr std::string_view kTimes[] = {"In the morning",  "That night",    "On the third day",
                                       "Before the rain", "After a while", "In the first snow",
                                       "Long ago",        "At noon"};
constexpr std::string_view kMoods[] = {
    "quietly",        "with a heavy heart", "as fast as the wind",
    "without a word", "laughing",           "very slowly"};
constexpr std::string_view kSaid[] = {"said", "asked", "whispered", "cried", "answered"};
constexpr std::string_view kSpeech[] = {"Who goes there?",        "I have seen it before.",
                                        "Do not open the door!",  "It is not mine.",
                                        "Come back before dark.", "What will you give me for it?",
                                        "Nobody knows the way.",  "Listen: the bell is ringing!",
                                        "We shall see.",          "You must be tired; sit down."};
constexpr std::string_view kEnds[] = {"And so it was.", "Nobody ever spoke of it again.",
                                      "The rest is soon told.", "They say it is still there.",
                                      "From that day on the door stayed open."};

class Teller {
  public:
    explicit Teller(SampleRandom random) : random_(random) {}

    std::string tale() {
        hero_ = pick(kNames);
        text_ += hero_ + " and " + pick(kPeople) + "\n";
        const std::uint64_t sentences = 4 + random_.below(5);
        for (std::uint64_t i = 0; i < sentences; ++i) {
            sentence();
            text_ += i + 1 == sentences ? "\n" : i % 3 == 2 ? "\n" : " ";
        }
        text_ += pick(kEnds) + "\n\n";
        return std::move(text_);
    }

  private:
    std::string pick(Words words) { return std::string(words[random_.below(words.size())]); }

    /// The hero by name, as "she or he" of the tale, or somebody else.
    std::string who() { return random_.below(3) < 2 ? hero_ : pick(kPeople); }

    static std::string capital(std::string text) {
        if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
        return text;
    }

    void sentence() {
        switch (random_.below(5)) {
        case 0:
            text_ +=
                pick(kTimes) + ", " + who() + " " + pick(kMoved) + " to " + pick(kPlaces) + ".";
            break;
        case 1:
            text_ += capital(who()) + " " + pick(kDone) + " " + pick(kThings) + " near " +
                     pick(kPlaces) + ".";
            break;
        case 2:
            text_ += "\"" + pick(kSpeech) + "\" " + pick(kSaid) + " " + who() + ".";
            break;
        case 3:
            text_ += capital(who()) + " " + pick(kMoved) + " " + pick(kMoods) + ", for " +
                     pick(kPeople) + " had " + pick(kThings) + ".";
            break;
        default:
            text_ += "There was " + pick(kThings) + " in " + pick(kPlaces) + ", and " + who() +
                     " " + pick(kDone) + " it " + pick(kMoods) + ".";
        }
    }

    SampleRandom random_;
    std::string hero_, text_;
};

} // namespace

std::string tell_tales(std::uint64_t seed, std::uint32_t stream, std::size_t characters) {
    std::string text;
    for (std::uint64_t tale = 0; text.size() < characters; ++tale)
        text += Teller(SampleRandom(seed, stream, tale)).tale();
    text.resize(characters);
    return text;
}

const std::string& tale_alphabet() {
    static const std::string alphabet = [] {
        std::string all = "\n !\"'(),-.:;?";
        for (char c = 'A'; c <= 'Z'; ++c)
            all += c;
        for (char c = 'a'; c <= 'z'; ++c)
            all += c;
        return all;
    }();
    return alphabet;
}

} // namespace wiregrad::data
