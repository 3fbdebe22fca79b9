"""tt_data: Datasets, samplers, a DataLoader with worker processes and exact resume, transforms, verified downloads."""

from tt_data.archive import Member, iter_members, open_member
from tt_data.cache import cache_home, data_home
from tt_data.collate import default_collate, default_convert
from tt_data.combining import ChainDataset, ConcatDataset, StackDataset, Subset, random_split
from tt_data.dataset import Dataset, IterableDataset, TensorDataset
from tt_data.download import RemoteFile, fetch
from tt_data.download_errors import ArchiveError, DownloadError, MissingFileError
from tt_data.errors import DatasetError, LoaderStateError, WorkerError
from tt_data.grid import show_batch
from tt_data.loader import DataLoader
from tt_data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    ShardedSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from tt_data.transformed import TransformedDataset
from tt_data.transforms import Compose, Lambda, PerSample, Transform
from tt_data.workers import WorkerInfo, get_worker_info

__version__ = "0.1.0"

__all__ = [
    "ArchiveError",
    "BatchSampler",
    "ChainDataset",
    "Compose",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DatasetError",
    "DownloadError",
    "IterableDataset",
    "Lambda",
    "LoaderStateError",
    "Member",
    "MissingFileError",
    "PerSample",
    "RandomSampler",
    "RemoteFile",
    "Sampler",
    "SequentialSampler",
    "ShardedSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "Transform",
    "TransformedDataset",
    "WeightedRandomSampler",
    "WorkerError",
    "WorkerInfo",
    "cache_home",
    "data_home",
    "default_collate",
    "default_convert",
    "fetch",
    "get_worker_info",
    "iter_members",
    "open_member",
    "random_split",
    "show_batch",
]
