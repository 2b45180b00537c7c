// Undo of every kind of edit, merging by gesture, the guard, files and weights. No widgets.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <random>

#include "engine/core/error.h"
#include "nodes/group.h"
#include "session/document.h"
#include "session/edit_command.h"

using namespace wiregrad;
using namespace wiregrad::studio;
using graph::Edit;

namespace {

std::string inputOf(const char* type) {
    return graph::find_type(type)->inputs.front().id;
}
std::string outputOf(const char* type) {
    return graph::find_type(type)->outputs.front().id;
}

std::string textOf(const Document& document) {
    return graph::to_text(document.graph());
}

/// data -> linear -> relu, with ids data, fc, act.
void build(Document& document) {
    const auto add = [&document](const char* id, const char* type, double x) {
        graph::Node node = graph::make_node(document.graph(), type, {x, 0});
        node.id = id;
        QVERIFY(document.apply({graph::AddNode{node}}));
    };
    add("data", "Dataset", 0);
    add("fc", "Linear", 300);
    add("act", "ReLU", 600);
    QVERIFY(document.apply({graph::Connect{{"data", "x", "fc", inputOf("Linear")}}}));
    document.undoStack().clear();
}

} // namespace

class DocumentTest : public QObject {
    Q_OBJECT

  private slots:
    void init() { QVERIFY(graph::find_type("Linear")); }

    void everyEditIsUndoneByteForByte_data() {
        QTest::addColumn<int>("kind");
        const char* names[] = {"add",    "remove",   "connect", "disconnect", "param",
                               "rename", "move",     "mute",    "collapse",   "training",
                               "title",  "batch",    "pin",     "bend",       "replace",
                               "define", "undefine", "info",    "inside"};
        for (int i = 0; i < int(std::size(names)); ++i)
            QTest::newRow(names[i]) << i;
    }
    void everyEditIsUndoneByteForByte() {
        QFETCH(int, kind);
        Document document;
        build(document);
        graph::Training training;
        training.epochs = 3;
        // Two definitions: one with an instance, one without.
        const auto [group, node] = graph::new_group_edit(document.graph(), {9, 9});
        QVERIFY(document.apply(group));
        graph::Definition spare = *document.graph().definition("group");
        spare.id = "spare";
        QVERIFY(document.apply({graph::Define{spare}}));
        graph::Definition fresh = spare;
        fresh.id = "fresh";
        graph::Node replaced = *document.graph().node("fc");
        replaced.name = "Other";
        document.undoStack().clear();
        const graph::Wire there{"data", "x", "fc", inputOf("Linear")};
        const graph::Wire wire{"fc", outputOf("Linear"), "act", inputOf("ReLU")};
        const std::vector<Edit> edits = {
            {graph::AddNode{graph::make_node(document.graph(), "Conv2d", {1, 2})}},
            {graph::RemoveNode{"fc"}},
            {graph::Connect{wire}},
            {graph::Disconnect{{"data", "x", "fc", inputOf("Linear")}}},
            {graph::SetParam{"fc", "out_features", std::int64_t(77)}},
            {graph::Rename{"fc", "Head"}},
            {graph::Move{"fc", {5, 6}}},
            {graph::SetMuted{"act", true}},
            {graph::SetCollapsed{"act", true}},
            {graph::SetTraining{training}},
            {graph::SetTitle{"T", "D"}},
            {graph::Batch{{{graph::Connect{wire}},
                           {graph::RemoveNode{"data"}},
                           {graph::Rename{"act", "A"}}}}},
            {graph::SetPinned{"fc", true}},
            {graph::SetBends{there, {{7, 8}}}},
            {graph::ReplaceNode{replaced}},
            {graph::Define{fresh}},
            {graph::Undefine{"spare"}},
            {graph::SetGroupInfo{"group", "Block", "What it does", {}}},
            {graph::Inside{"group", {{graph::Rename{"in1", "features"}}}}},
        };
        QCOMPARE(edits.size(), std::variant_size_v<decltype(Edit::what)>);
        const std::string before = textOf(document);
        QSignalSpy changes(&document, &Document::changed);
        QVERIFY2(document.apply(edits[std::size_t(kind)]), qPrintable(document.lastError()));
        const std::string after = textOf(document);
        QVERIFY(after != before);
        QCOMPARE(document.undoStack().count(), 1);
        QVERIFY(!document.undoStack().undoText().isEmpty());
        QVERIFY(document.isModified());
        document.undo();
        QCOMPARE(textOf(document), before);
        QVERIFY(!document.isModified());
        document.redo();
        QCOMPARE(textOf(document), after);
        QCOMPARE(changes.count(), 3);
    }

    void aGestureIsOneStep() {
        Document document;
        build(document);
        const std::string before = textOf(document);
        const quint64 gesture = Document::newGesture();
        for (int i = 1; i <= 40; ++i)
            QVERIFY(document.apply({graph::Batch{{{graph::Move{"fc", {double(i), 0}}},
                                                  {graph::Move{"act", {double(i), 9}}}}}},
                                   gesture));
        QCOMPARE(document.undoStack().count(), 1);
        QCOMPARE(document.graph().node("fc")->position.x, 40.0);
        // The step holds one move per node, not forty.
        const auto* command = dynamic_cast<const EditCommand*>(document.undoStack().command(0));
        QVERIFY(command);
        QCOMPARE(std::get<graph::Batch>(command->edit().what).edits.size(), std::size_t(2));
        const std::string after = textOf(document);
        document.undo();
        QCOMPARE(textOf(document), before);
        document.redo();
        QCOMPARE(textOf(document), after);
        // Another gesture, and no gesture, are steps of their own.
        QVERIFY(document.apply({graph::Move{"fc", {1, 1}}}, Document::newGesture()));
        QVERIFY(document.apply({graph::Move{"fc", {2, 2}}}));
        QVERIFY(document.apply({graph::Move{"fc", {3, 3}}}));
        QCOMPARE(document.undoStack().count(), 4);
    }

    void aGestureOfMixedEditsMerges() {
        Document document;
        build(document);
        const std::string before = textOf(document);
        const quint64 gesture = Document::newGesture();
        QVERIFY(document.apply({graph::AddNode{graph::make_node(document.graph(), "ReLU", {0, 0})}},
                               gesture));
        QVERIFY(document.apply({graph::Move{"fc", {8, 8}}}, gesture));
        QVERIFY(document.apply({graph::RemoveNode{"act"}}, gesture));
        QCOMPARE(document.undoStack().count(), 1);
        const std::string after = textOf(document);
        document.undo();
        QCOMPARE(textOf(document), before);
        document.redo();
        QCOMPARE(textOf(document), after);
    }

    void randomEditsUndoAndRedo() {
        Document document;
        build(document);
        std::mt19937 random(11);
        const std::string first = textOf(document);
        int applied = 0;
        for (int i = 0; i < 1000; ++i) {
            std::vector<std::string> ids;
            for (const auto& [id, node] : document.graph().nodes())
                ids.push_back(id);
            const auto pick = [&] {
                return ids.empty() ? std::string("none") : ids[random() % ids.size()];
            };
            const char* types[] = {"Linear", "ReLU", "Dataset", "Conv2d", "Flatten"};
            const std::string a = pick(), b = pick();
            const auto typeOf = [&](const std::string& id) {
                const graph::Node* node = document.graph().node(id);
                return node ? graph::find_type(node->type) : nullptr;
            };
            Edit edit{graph::Move{a, {double(random() % 1000), double(random() % 1000)}}};
            switch (random() % 6) {
            case 0:
                edit = {graph::AddNode{
                    graph::make_node(document.graph(), types[random() % 5], {0, 0})}};
                break;
            case 1:
                edit = {graph::RemoveNode{a}};
                break;
            case 2:
            case 3:
                if (const auto* from = typeOf(a), *to = typeOf(b);
                    from && to && !from->outputs.empty() && !to->inputs.empty())
                    edit = {graph::Connect{{a, from->outputs[0].id, b, to->inputs[0].id}}};
                break;
            case 4:
                edit = {graph::Rename{a, "n" + std::to_string(random() % 100)}};
                break;
            default:
                break;
            }
            applied += document.apply(edit);
            document.graph().check_consistency();
        }
        QVERIFY(applied > 400);
        const std::string last = textOf(document);
        while (document.undoStack().canUndo())
            QVERIFY(document.undo());
        QCOMPARE(textOf(document), first);
        while (document.undoStack().canRedo())
            QVERIFY(document.redo());
        QCOMPARE(textOf(document), last);
    }

    void aRefusedEditChangesNothingAndSaysWhy() {
        Document document;
        build(document);
        QSignalSpy refused(&document, &Document::refused);
        const std::string before = textOf(document);
        QVERIFY(!document.apply({graph::RemoveNode{"nobody"}}));
        QVERIFY(document.lastError().contains("nobody"));
        QCOMPARE(refused.count(), 1);
        QCOMPARE(textOf(document), before);
        QCOMPARE(document.undoStack().count(), 0);
        QVERIFY(document.apply({graph::Batch{}}));
        QCOMPARE(document.undoStack().count(), 0);
    }

    void theGuardRefusesChangesAndUndo() {
        Document document;
        build(document);
        QVERIFY(document.apply({graph::SetParam{"fc", "out_features", std::int64_t(5)}}));
        document.setGuard([](const Document::Intent& intent) {
            return std::holds_alternative<graph::Move>(intent.edit.what)
                       ? QString()
                       : QStringLiteral("not now");
        });
        const std::string before = textOf(document);
        QVERIFY(!document.undo());
        QCOMPARE(document.lastError(), QString("not now"));
        QVERIFY(!document.apply({graph::RemoveNode{"fc"}}));
        QCOMPARE(textOf(document), before);
        QVERIFY(document.apply({graph::Move{"fc", {1, 1}}}));
        document.setGuard({});
        QVERIFY(document.undo());
        QVERIFY(document.undo());
        QVERIFY(!document.undo());
    }

    void UX_47_groupingKeepsTheTrainedWeights() {
        Document document;
        build(document);
        document.setWeights({{"fc.weight", Tensor::scalar(3)}, {"fc.bias", Tensor::scalar(4)}});
        const auto names = [&document] {
            std::set<std::string> result;
            for (const auto& weight : document.weights())
                result.insert(weight.name);
            return result;
        };
        const std::set<std::string> before = names();
        const auto [edit, group] = graph::group_edit(document.graph(), {"fc"});
        QVERIFY(document.apply(edit));
        QCOMPARE(names(), (std::set<std::string>{group + ".fc.weight", group + ".fc.bias"}));
        QVERIFY(document.apply({graph::Rename{group, "Head"}}));
        // They are of this network, so they are saved and found again.
        QTemporaryDir folder;
        const QString file = folder.filePath("net.wiregrad");
        document.save(file);
        Document again;
        again.load(file);
        QCOMPARE(again.weights().size(), std::size_t(2));
        QVERIFY(document.undo());
        QVERIFY(document.undo());
        QCOMPARE(names(), before);
        QVERIFY(document.redo());
        QVERIFY(document.apply(graph::ungroup_edit(document.graph(), group).first));
        QCOMPARE(names(), before);
    }

    void analysisIsThereWhenAskedAndOnceATurn() {
        Document document;
        QSignalSpy analysed(&document, &Document::analysed);
        QTRY_COMPARE(analysed.count(), 1);
        build(document);
        QVERIFY(document.analysis().nodes.count("fc") == 1); // at once, without the event loop
        QCOMPARE(analysed.count(), 1);
        QTRY_COMPARE(analysed.count(), 2); // four edits, one analysis
        QVERIFY(document.apply({graph::Move{"fc", {3, 3}}}));
        QTest::qWait(20);
        QCOMPARE(analysed.count(), 2); // moving changes no shape
    }

    void filesAndModifiedMark() {
        QTemporaryDir folder;
        const QString path = folder.filePath("net.wiregrad");
        Document document;
        QSignalSpy modified(&document, &Document::modifiedChanged);
        build(document);
        document.save(path);
        QVERIFY(!document.isModified());
        QCOMPARE(document.path(), path);
        QCOMPARE(document.title(), QString("net.wiregrad"));
        QVERIFY(document.apply({graph::Rename{"fc", "Head"}}));
        QVERIFY(document.isModified());
        QVERIFY(document.undo());
        QVERIFY(!document.isModified());

        Document other;
        other.load(path);
        QCOMPARE(textOf(other), textOf(document));
        QVERIFY(!other.isModified());
        QVERIFY_EXCEPTION_THROWN(other.load(folder.filePath("none.wiregrad")), Error);
        QCOMPARE(textOf(other), textOf(document)); // as it was
        QCOMPARE(other.path(), path);
        QVERIFY_EXCEPTION_THROWN(other.save("/proc/none/net.wiregrad"), Error);
        other.loadExample(path);
        QVERIFY(other.path().isEmpty());
        other.newProject();
        QVERIFY(other.graph().nodes().empty());
        QVERIFY(!other.undoStack().canUndo());
    }

    void dataBesideTheProjectMovesWithIt() {
        QTemporaryDir one, two;
        const auto pathIn = [](const graph::Graph& graph) {
            return QString::fromStdString(
                std::get<std::string>(graph.node("data")->params.at("path")));
        };
        Document document;
        build(document);
        QVERIFY(document.apply(
            {graph::SetParam{"data", "path", one.filePath("points.csv").toStdString()}}));
        document.save(one.filePath("net.wiregrad"));
        QCOMPARE(pathIn(document.graph()), one.filePath("points.csv")); // as it was chosen
        QVERIFY(!document.isModified());
        QCOMPARE(pathIn(graph::load_project(one.filePath("net.wiregrad").toStdString())),
                 QStringLiteral("points.csv"));
        QVERIFY(QFile::copy(one.filePath("net.wiregrad"), two.filePath("net.wiregrad")));
        Document other;
        other.load(two.filePath("net.wiregrad"));
        QCOMPARE(pathIn(other.graph()), two.filePath("points.csv"));
        QVERIFY(!other.isModified());
    }

    void weightsTravelWithTheirNetworkOnly() {
        QTemporaryDir folder;
        const QString path = folder.filePath("net.wiregrad");
        Document document;
        build(document);
        document.save(path);
        document.setWeights({{"fc.weight", Tensor::full({2, 3}, 1.5)}});
        QVERIFY(document.isModified());
        document.save(path);
        QVERIFY(!document.isModified());
        Document same;
        connect(&same, &Document::notice, [](const QString& s) { qWarning("%s", qPrintable(s)); });
        same.load(path);
        QCOMPARE(same.weights().size(), std::size_t(1));
        QCOMPARE(same.weights()[0].name, std::string("fc.weight"));
        QCOMPARE(same.weights()[0].tensor.to_vector(), std::vector<double>(6, 1.5));
        // Another network in the same file: its old weights are left out, in words.
        QVERIFY(document.apply({graph::SetParam{"fc", "out_features", std::int64_t(99)}}));
        graph::save_project(path.toStdString(), document.graph());
        Document other;
        QSignalSpy notice(&other, &Document::notice);
        other.load(path);
        QVERIFY(other.weights().empty());
        QCOMPARE(notice.count(), 1);
        // Undo brings the network back for which these weights are; a save keeps them.
        QVERIFY(document.undo());
        document.save(path);
        Document again;
        again.load(path);
        QCOMPARE(again.weights().size(), std::size_t(1));
    }
};

QTEST_GUILESS_MAIN(DocumentTest)
#include "document_test.moc"
