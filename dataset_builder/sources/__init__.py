"""Where pictures come from: one small class for each kind of source, chosen by its name in the config."""

from dataset_builder.sources.base import Source, SourceConfig
from dataset_builder.sources.classes import ClassSource
from dataset_builder.sources.coco import CocoSource
from dataset_builder.sources.hub_dataset import HubSource
from dataset_builder.sources.imagefolder import ImageFolderSource
from dataset_builder.sources.kaggle import KaggleSource
from dataset_builder.sources.urls import UrlSource

SOURCES: dict[str, type[Source]] = {
    "imagefolder": ImageFolderSource,
    "coco": CocoSource,
    "kaggle": KaggleSource,
    "classes": ClassSource,
    "hub_dataset": HubSource,
    "urls": UrlSource,
}

__all__ = ["SOURCES", "Source", "SourceConfig"]
