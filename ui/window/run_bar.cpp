#include "ui/window/run_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>

#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr int kEveryMs = 100; // numbers that change faster cannot be read
constexpr int kParts = 1000;

QString deviceText(const std::string& device) {
    return device == "cuda" ? RunBar::tr("GPU") : RunBar::tr("CPU");
}

} // namespace

RunBar::RunBar(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), session_(session), document_(document), dot_(new QLabel(this)),
      state_(new QLabel(this)), progress_(new QProgressBar(this)), device_(new QLabel(this)) {
    const Theme& theme = Theme::instance();
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(theme.space(2), 0, theme.space(3), 0);
    row->setSpacing(theme.space(2));
    state_->setObjectName(QStringLiteral("run.state"));
    // Wide enough for the usual words, so that the bar beside it stands still.
    state_->setMinimumWidth(
        state_->fontMetrics().horizontalAdvance(QStringLiteral("Preparing data (100 %)")));
    progress_->setObjectName(QStringLiteral("run.progress"));
    progress_->setRange(0, kParts);
    progress_->setMinimumWidth(theme.space(40));
    progress_->setMaximumWidth(theme.space(130));
    progress_->setFixedHeight(theme.space(6));
    progress_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    progress_->setAccessibleName(tr("Progress of the run"));
    device_->setObjectName(QStringLiteral("run.device"));
    row->addWidget(dot_);
    row->addWidget(state_);
    row->addWidget(progress_, 4);
    row->addStretch(1);
    row->addWidget(device_);
    late_.setSingleShot(true);
    connect(&late_, &QTimer::timeout, this, &RunBar::showProgress);
    connect(&session, &TrainSession::stateChanged, this, &RunBar::showState);
    connect(&session, &TrainSession::frame, this, [this] {
        if (!shown_.isValid() || shown_.elapsed() >= kEveryMs)
            showProgress();
        else if (!late_.isActive())
            late_.start(kEveryMs);
    });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.training || changes.everything) showState();
    });
    connect(&Theme::instance(), &Theme::changed, this, &RunBar::showState);
    showState();
}

QString RunBar::stateText() const {
    return state_->text();
}
QString RunBar::progressText() const {
    return progress_->format();
}

void RunBar::showState() {
    const Theme& theme = Theme::instance();
    const auto [icon, text] = [this]() -> std::pair<QString, QString> {
        switch (session_.state()) {
        case train::RunState::Running:
            return {QStringLiteral("run"), session_.stateText()};
        case train::RunState::Paused:
            return {QStringLiteral("pause"), session_.stateText()};
        case train::RunState::Finished:
            return {QStringLiteral("success"), session_.stateText()};
        case train::RunState::Failed:
            return {QStringLiteral("error"), session_.stateText()};
        case train::RunState::Stopped:
            return {QStringLiteral("stop"), session_.stateText()};
        case train::RunState::Preparing:
        case train::RunState::Stopping:
            return {QStringLiteral("recent"), session_.stateText()};
        case train::RunState::Idle:
            break;
        }
        return {QStringLiteral("info"), session_.stateText()};
    }();
    dot_->setPixmap(theme.icon(icon).pixmap(theme.space(4), theme.space(4)));
    if (state_->text() != text) state_->setText(text);
    state_->setToolTip(session_.errorText());
    const std::string& device = document_.graph().training().device;
    device_->setText(deviceText(device));
    device_->setToolTip(
        tr("Where the network is trained: %1. The project's properties can change it.")
            .arg(deviceText(device)));
    showProgress();
}

void RunBar::showProgress() {
    shown_.start();
    late_.stop();
    const RunProgress progress = session_.progress();
    const int value = int(std::clamp(progress.fraction(), 0.0, 1.0) * kParts);
    QString text;
    if (progress.step > 0) {
        text = tr("Step %1 of %2").arg(countText(progress.step), countText(progress.totalSteps));
        if (session_.isActive() && progress.secondsLeft >= 1)
            text += tr("  ·  %1 left").arg(durationText(progress.secondsLeft));
        else if (!session_.isActive())
            text += tr("  ·  took %1").arg(durationText(progress.seconds));
    }
    if (progress_->value() != value) progress_->setValue(value);
    if (progress_->format() != text) progress_->setFormat(text);
}

} // namespace wiregrad::studio

#include "moc_run_bar.cpp"
