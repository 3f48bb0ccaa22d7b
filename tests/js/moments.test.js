/** Moments with the offset of the browser's zone. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { LATEST, localOf, momentOf } from "../../sessions/static/sessions/words/moments.js";

/** @param {string} zone @param {() => void} check */
function inZone(zone, check) {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try {
    check();
  } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
}

const ZONES = {
  UTC: "+00:00",
  "Europe/Berlin": "+01:00",
  "America/St_Johns": "-03:30",
  "Asia/Kathmandu": "+05:45",
  "Pacific/Kiritimati": "+14:00",
};

describe("the moment of a local time", () => {
  test("has the offset of each zone, and seconds", () => {
    for (const [zone, offset] of Object.entries(ZONES))
      inZone(zone, () => {
        assert.equal(momentOf("2026-12-31T23:59"), `2026-12-31T23:59:00${offset}`);
        assert.equal(momentOf("2026-12-31T23:59:58"), `2026-12-31T23:59:58${offset}`);
      });
  });

  test("has the offset of its own day, not of today", () => {
    inZone("Europe/Berlin", () => {
      assert.equal(momentOf("2026-07-01T12:00"), "2026-07-01T12:00:00+02:00");
      assert.equal(momentOf("2026-01-01T12:00"), "2026-01-01T12:00:00+01:00");
    });
  });

  test("exists where the clock has left an hour out", () => {
    inZone("Europe/Berlin", () => {
      assert.equal(momentOf("2026-03-29T02:30"), "2026-03-29T03:30:00+02:00");
    });
  });

  test("is one of UTC where the zone was ahead by seconds", () => {
    inZone("Europe/Amsterdam", () => {
      const moment = momentOf("1890-01-01T12:00");
      assert.match(moment, /^1890-01-01T1[12]:\d\d:\d\dZ$/);
    });
  });

  test("has four digits of the year", () => {
    inZone("UTC", () => {
      assert.equal(momentOf("0001-01-01T00:00"), "0001-01-01T00:00:00+00:00");
      assert.equal(momentOf(LATEST), "9999-12-31T23:59:59+00:00");
    });
  });

  test("is the text itself where that is no time", () => {
    assert.equal(momentOf("soon"), "soon");
  });
});

describe("the local time of a moment", () => {
  test("is shown in the browser's zone", () => {
    inZone("Asia/Kathmandu", () => {
      assert.equal(localOf("2026-12-31T23:59:07Z"), "2027-01-01T05:44:07");
      assert.equal(localOf("2026-12-31t23:59:07.123+05:45"), "2026-12-31T23:59:07");
    });
  });

  test("is empty for a text that is no moment", () => {
    for (const odd of ["", "soon", "2026-12-31", "2026-12-31T23:59", "2026-13-31T00:00:00Z", 7])
      assert.equal(localOf(odd), "");
  });

  test("leads back to the same moment", () => {
    for (const zone of Object.keys(ZONES))
      inZone(zone, () => {
        for (const moment of ["2026-07-01T00:00:00Z", "2026-12-31T23:59:59Z"])
          assert.equal(Date.parse(momentOf(localOf(moment))), Date.parse(moment));
      });
  });
});
