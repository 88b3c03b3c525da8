"""Notebooks driven in a real Chromium.

A package, so that its tests share one Jupyter server and one browser, which go when the last of
them has run: Playwright's event loop would block the tests of other folders.
"""
