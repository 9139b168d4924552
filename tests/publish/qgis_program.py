"""What an analyst does, done by QGIS itself; run with the system's Python, which has QGIS's own modules.

python3 qgis_program.py look FOLDER PICTURES     opens the project, draws everything, prints what it saw as JSON
python3 qgis_program.py map FOLDER PICTURES      opens the project and draws the map around its alerts, and no more
python3 qgis_program.py judge FOLDER             types a verdict, saves, says so, and stays open until told to end
python3 qgis_program.py geojson FOLDER PICTURES  opens alerts.geojson by itself
python3 qgis_program.py raster FOLDER PICTURES   opens before.tif and after.tif by themselves
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsCoordinateTransform,
    QgsDateTimeRange,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsLayoutExporter,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QDateTime, QSize, Qt
from qgis.PyQt.QtGui import QColor

BACKGROUND = QColor(38, 42, 40)


def context(*scopes):
    """An expression context as QGIS builds one for a map."""
    made = QgsExpressionContext()
    for scope in (
        QgsExpressionContextUtils.globalScope(),
        QgsExpressionContextUtils.projectScope(QgsProject.instance()),
        *scopes,
    ):
        made.appendScope(scope)
    return made


def draw(layers, extent, path, *, size=(1000, 800), until=None):
    """Draw layers to a PNG; the share of pixels that are not background."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(QgsProject.instance().crs())
    settings.setOutputSize(QSize(*size))
    settings.setBackgroundColor(BACKGROUND)
    settings.setExtent(extent)
    settings.setExpressionContext(context(QgsExpressionContextUtils.mapSettingsScope(settings)))
    if until:
        settings.setIsTemporal(True)
        settings.setTemporalRange(QgsDateTimeRange(moment("1990-01-01"), moment(until)))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(str(path))
    points = [(x, y) for x in range(0, size[0], 2) for y in range(0, size[1], 2)]
    return sum(image.pixelColor(x, y) != BACKGROUND for x, y in points) / len(points)


def moment(day):
    found = QDateTime.fromString(f"{day}T00:00:00", Qt.ISODate)
    found.setTimeSpec(Qt.UTC)
    return found


def around(layer):
    transform = QgsCoordinateTransform(layer.crs(), QgsProject.instance().crs(), QgsProject.instance())
    return transform.transformBoundingBox(layer.extent())


def look(folder, pictures):
    """Open the project and draw all of it."""
    project = QgsProject.instance()
    opened = project.read(str(folder / "vanwatch.qgz"))
    whole = QgsRectangle(project.viewSettings().defaultViewExtent())
    whole.scale(1.05)
    alerts = project.mapLayer("vanwatch_alerts")
    seen = {
        "opened": opened,
        "invalid": [layer.id() for layer in project.mapLayers().values() if not layer.isValid()],
        "sources": [layer.source() for layer in project.mapLayers().values()],
        "crs": project.crs().authid(),
        "layer_crs": {layer.id(): layer.crs().authid() for layer in project.mapLayers().values()},
        "order": [layer.id() for layer in project.layerTreeRoot().layerOrder()],
        "themes": project.mapThemeCollection().mapThemes(),
        "range": [day.toString("yyyy-MM-dd") for day in ends(project.timeSettings().temporalRange())],
        "drawn": {
            layer.id(): draw([layer], whole, pictures / f"{layer.id()}.png", size=(500, 400))
            for layer in project.mapLayers().values()
        },
        "temporal": {
            day: [
                draw([layer], whole, pictures / f"{layer.id()}_{day}.png", size=(500, 400), until=day)
                for layer in (alerts, project.mapLayer("vanwatch_tracks"))
            ]
            for day in ("2025-10-30", "2025-11-03")
        },
        "form": form(alerts),
        "tips": [tip(layer) for layer in (alerts, project.mapLayer("vanwatch_tracks"))],
        "sheets": {layout.name(): sheets(layout, pictures) for layout in project.layoutManager().layouts()},
    }
    checked = project.layerTreeRoot().checkedLayers()
    seen["map"] = draw(checked, whole, pictures / "map.png")
    place = around(alerts)
    near = QgsRectangle(
        place.center().x() - 900, place.center().y() - 720, place.center().x() + 900, place.center().y() + 720
    )
    draw(checked, near, pictures / "near.png")
    return seen


def draw_map(folder, pictures):
    """Draw what an analyst sees on opening the project, around the alerts."""
    project = QgsProject.instance()
    opened = project.read(str(folder / "vanwatch.qgz"))
    alerts, tracks = (project.mapLayer(f"vanwatch_{name}") for name in ("alerts", "tracks"))
    place = around(alerts)
    place.combineExtentWith(around(tracks))
    place.scale(1.3)
    share = draw(project.layerTreeRoot().checkedLayers(), place, pictures / "alerts.png")
    return {"opened": opened, "alerts": alerts.featureCount() + tracks.featureCount(), "drawn": share}


def ends(span):
    return span.begin(), span.end()


def form(layer):
    """How the form offers the verdict, and who may edit what."""
    fields, config = layer.fields(), layer.editFormConfig()
    place = fields.indexFromName("verdict")
    return {
        "widget": layer.editorWidgetSetup(place).type(),
        "choices": layer.editorWidgetSetup(place).config()["map"],
        "editable": [name for name in fields.names() if not config.readOnly(fields.indexFromName(name))],
        "titles": {name: layer.attributeAlias(fields.indexFromName(name)) for name in fields.names()},
        "tabs": [tab.name() for tab in config.tabs()],
        "types": {field.name(): field.typeName() for field in fields},
    }


def tip(layer):
    feature = next(layer.getFeatures("\"status\" = 'confirmed'"))
    with_feature = context(QgsExpressionContextUtils.layerScope(layer))
    with_feature.setFeature(feature)
    return QgsExpression.replaceExpressionText(layer.mapTipTemplate(), with_feature)


def sheets(layout, pictures):
    """Export every page of an atlas; how many there are, and the exporter's answers (0 is well)."""
    atlas = layout.atlas()
    count, answers = atlas.updateFeatures(), []
    atlas.beginRender()
    for number in range(count):
        atlas.seekTo(number)
        settings = QgsLayoutExporter.ImageExportSettings()
        settings.dpi, settings.generateWorldFile = 110, False
        name = f"{layout.name().replace(' ', '_')}_{number}.png"
        answers.append(QgsLayoutExporter(layout).exportToImage(str(pictures / name), settings))
    atlas.endRender()
    return answers


def judge(folder):
    """Type a verdict and save it, and keep the file open."""
    QgsProject.instance().read(str(folder / "vanwatch.qgz"))
    layer = QgsProject.instance().mapLayer("vanwatch_alerts")
    feature = next(layer.getFeatures("\"alert_id\" = 'VW-CCCCCCCC'"))
    layer.startEditing()
    for name, value in (("verdict", "dismissed"), ("note", "road works")):
        layer.changeAttributeValue(feature.id(), layer.fields().indexFromName(name), value)
    print(json.dumps({"saved": layer.commitChanges(False)}), flush=True)
    sys.stdin.readline()


def geojson(folder, pictures):
    """Open the GeoJSON as an analyst drags it in: one layer per kind of shape, each with the style beside it."""
    found = {}
    for shape in ("Polygon", "LineString"):
        layer = QgsVectorLayer(f"{folder / 'alerts.geojson'}|geometrytype={shape}", shape, "ogr")
        layer.loadDefaultStyle()
        QgsProject.instance().setCrs(layer.crs())
        extent = layer.extent()
        extent.grow(0.001)
        found[shape] = {
            "count": layer.featureCount(),
            "renderer": layer.renderer().type(),
            "drawn": draw([layer], extent, pictures / f"geojson_{shape}.png", size=(500, 400)),
            "date": layer.temporalProperties().startField(),
            "tip": tip(layer),
        }
    return found


def raster(folder, pictures):
    """Open the rasters as an analyst drags them in, each with the style beside it."""
    found = {}
    for name in ("before", "after"):
        layer = QgsRasterLayer(str(folder / f"{name}.tif"), name)
        QgsProject.instance().setCrs(layer.crs())
        shown = layer.renderer()
        found[name] = {
            "bands": [layer.dataProvider().generateBandName(band) for band in shown.usesBands()],
            "drawn": draw([layer], layer.extent(), pictures / f"raster_{name}.png", size=(500, 400)),
        }
    return found


def main():
    """Run one of the jobs above."""
    application = QgsApplication([], False)
    application.initQgis()
    job, folder = sys.argv[1], Path(sys.argv[2])
    if job == "judge":
        judge(folder)
    else:
        pictures = Path(sys.argv[3])
        pictures.mkdir(parents=True, exist_ok=True)
        print(json.dumps({"look": look, "map": draw_map, "geojson": geojson, "raster": raster}[job](folder, pictures)))
    QgsProject.instance().clear()
    application.exitQgis()


main()
