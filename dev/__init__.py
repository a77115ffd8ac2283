"""The workshop: makes an environment, gets a real ComfyUI and runs demo, tests, benchmarks and a host for a person.

Pure standard library, so that a bare Python runs it. The pack never imports it; ComfyUI never loads it.
"""
