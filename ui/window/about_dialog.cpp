#include "ui/window/about_dialog.h"

#include <QApplication>
#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QTextBrowser>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

AboutDialog::AboutDialog(QWidget* parent) : QDialog(parent) {
    setObjectName(QStringLiteral("about"));
    setWindowTitle(tr("About Wiregrad"));
    setAttribute(Qt::WA_DeleteOnClose);
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(theme.space(5), theme.space(5), theme.space(5), theme.space(4));
    column->setSpacing(theme.space(4));
    auto* head = new QHBoxLayout;
    head->setSpacing(theme.space(4));
    auto* logo = new QLabel(this);
    logo->setPixmap(
        QIcon(QStringLiteral(":/icons/wiregrad.svg")).pixmap(theme.space(16), theme.space(16)));
    auto* words = new QVBoxLayout;
    auto* name =
        new QLabel(QStringLiteral("Wiregrad %1").arg(QApplication::applicationVersion()), this);
    name->setFont(theme.font(1.6, QFont::DemiBold));
    words->addWidget(name);
    words->addWidget(new QLabel(tr("Wire layers into a network and watch it learn."), this));
    head->addWidget(logo);
    head->addLayout(words, 1);
    column->addLayout(head);
    auto* text = new QTextBrowser(this);
    text->setOpenExternalLinks(true);
    text->setMarkdown(tr("Wiregrad's own source is under the **Apache License 2.0**. This window "
                         "links Qt Charts, so the program as you run "
                         "it is distributed under the **GNU General Public License 3**. The "
                         "engine, the command line and everything you "
                         "export are not touched by that: what you make is yours.\n\n"
                         "| part | licence |\n| --- | --- |\n"
                         "| Qt %1 (Core, Gui, Widgets, Svg) | LGPL-3 |\n"
                         "| Qt Charts | GPL-3 |\n"
                         "| oneDNN | Apache-2.0 |\n"
                         "| OpenBLAS | BSD-3-Clause |\n"
                         "| HDF5 | BSD-style (The HDF Group) |\n"
                         "| nlohmann/json, {fmt} | MIT |\n"
                         "| zlib, libpng, libjpeg-turbo, libzip | zlib, libpng, BSD-3-Clause |\n"
                         "| curl | curl (MIT-style) |\n")
                          .arg(QString::fromLatin1(qVersion())));
    column->addWidget(text, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    column->addWidget(buttons);
    resize(theme.space(130), theme.space(120));
}

} // namespace wiregrad::studio

#include "moc_about_dialog.cpp"
