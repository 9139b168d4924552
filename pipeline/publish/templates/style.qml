<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22.0" styleCategories="AllStyleCategories" labelsEnabled="{{ 1 if style.label else 0 }}" readOnly="0" hasScaleBasedVisibilityFlag="0" minScale="0" maxScale="0" simplifyDrawingHints="1" simplifyAlgorithm="0" simplifyDrawingTol="1" simplifyLocal="1" simplifyMaxScale="1" symbologyReferenceScale="-1">
{% include "vector.xml" %}
{% if style.geometry %}
<layerGeometryType>{{ {"point": 0, "line": 1, "fill": 2}[style.geometry] }}</layerGeometryType>
{% endif %}
</qgis>
