"""The first hour with the page, walked in Chromium, Firefox and WebKitGTK."""
