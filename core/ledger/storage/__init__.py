"""Where the files of the results are kept: in a folder, or in an S3 bucket with a folder as its cache.

object_store    the interface
folder_store    a folder that every machine with it sees
bucket_cache    a bucket, with a folder of this machine before it: outbox and cache;  cache_limit: the size of the cache
size_limit      counts what is added to a folder: what eviction and cache_limit share
s3_store        the bucket itself;  bucket_address: which one;  upload_queue: uploads that wait
"""
