"""Recordings that were joined byte by byte: each has a clock of its own, and times shall run on.

Television, dash cams and downloads are joined with ``cat``. Where the next recording begins, the
time stamps of all streams go back or far ahead, and in a transport stream the packet before it is
flagged as damaged, for the counters of its parts begin anew. No frame is missing there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.format import Flags
from av.packet import Packet

from ddeal_core.media.frame import to_fraction
from ddeal_core.media.sources.transport_stream import restarts_between

OnJoin = Callable[[Fraction], None]
"""Told of a place where recordings meet: see `Timeline`."""

_log = logging.getLogger(__name__)

# As in the ffmpeg program: what goes back by more, or ahead by more, is another clock.
_BACK, _AHEAD = Fraction(1, 10), Fraction(10)  # seconds
_GAP = Fraction(1)  # seconds: a longer gap is told of
_JUST = Fraction(1, 4)  # seconds by which a stream is off that goes back to its old recording
_APART = Fraction(5)  # seconds by which streams of one recording may be apart in a file
_OVERLAP = Fraction(11, 10)  # seconds by which sound may overlap where recordings meet


@dataclass(slots=True)
class _Recording:
    """One clock; `shift` seconds are added to its time stamps."""

    shift: Fraction


@dataclass(slots=True)
class _StreamPosition:
    """How far a stream has come, in seconds that run on."""

    recording: _Recording
    last: Fraction  # decoding time of its last packet
    due: Fraction  # decoding time at which the next packet is expected
    end: Fraction  # at which all that it has shown so far ends
    delay: Fraction  # from decoding to showing its last packet
    before: _StreamPosition | None = None  # in another recording, where it has just entered this


class Timeline:
    """Makes the times of one pass over a container run on.

    All readers of one file see the same packets in the same order and so give the same times.

    Args:
        container: What is read, from its beginning; not sought in.
        path: The file, to look at the bytes where recordings meet; None for a stream.
        on_join: Called with 0 where the second recording begins; and with the seconds of the gap
            where all streams jump ahead by more than 1 s, but not by the 10 s of another clock.
    """

    def __init__(
        self, container: InputContainer, *, path: Path | None = None, on_join: OnJoin | None = None
    ) -> None:
        self._container, self._path, self._on_join = container, path, on_join
        # in other formats the time stamps of a pause go on behind it
        self._jumps = Flags.ts_discont in Flags(container.format.flags)
        self._recordings: list[_Recording] = []
        self._places: dict[int, _StreamPosition] = {}
        # of streams that have just entered a recording: time stamp of the first key frame, or None
        self._entered: dict[int, int | None] = {}

    def packets(self) -> Iterator[Packet[Any]]:
        """Give the packets of all streams; times of pictures and sound run on.

        FFmpeg sets the corrupt flag on the picture of a transport stream that comes before the
        damaged one. The hole may lie in that one or behind it, so that one and its follower are
        flagged here instead. It also flags the last but one picture of a recording, as the packet
        counters begin anew behind the last one: where recordings meet, no picture is flagged here.
        """
        timed = {*self._container.streams.video, *self._container.streams.audio}
        in_parts = self._container.format.name == "mpegts"
        announced: set[int] = set()  # streams whose next picture has a hole
        suspects: dict[int, Packet[Any]] = {}  # such pictures, sound if a recording ends with them
        for packet in self._container.demux():
            if packet.stream not in timed:
                yield packet
                continue
            index = packet.stream.index
            another = bool(packet.size) and self._mend(packet)
            if packet.stream.type == "video" and in_parts:
                suspect, is_hole = suspects.pop(index, None), False
                if suspect is not None:
                    another |= self._begins_anew(suspect, packet)
                    suspect.is_corrupt = is_hole = not another
                    yield suspect
                is_meant = index in announced and packet.size and not another
                # without a hole, a time stamp that seems to be another clock's may just be wrong
                another &= suspect is not None or index in announced
                announced.discard(index)
                if packet.is_corrupt:
                    announced.add(index)
                packet.is_corrupt = self._refers_to_nothing(packet, is_first=another) or is_hole
                if is_meant and not packet.is_corrupt:
                    suspects[index] = packet
                    continue
            elif packet.stream.type == "video" and self._jumps:
                packet.is_corrupt |= self._refers_to_nothing(packet, is_first=another)
            yield packet

    def _refers_to_nothing(self, packet: Packet[Any], *, is_first: bool) -> bool:
        """Whether a picture needs others that were cut off before its recording.

        Those before the first key frame do, and those after it that are shown before it.
        """
        index = packet.stream.index
        if not packet.size:
            return False
        if is_first:
            self._entered[index] = None
        elif index not in self._entered:
            return False
        key = self._entered[index]
        if key is None and not packet.is_keyframe:
            return True
        if key is None and packet.pts is not None and not _is_closed(packet):
            self._entered[index] = packet.pts
            return False
        if key is not None and packet.pts is not None and packet.pts < key:
            return True
        del self._entered[index]
        return False

    def _begins_anew(self, before: Packet[Any], packet: Packet[Any]) -> bool:
        """Whether recordings of one clock meet before a picture of a transport stream."""
        if self._container.format.name != "mpegts" or not packet.is_keyframe:
            return False
        if self._path is None:  # bytes that are gone: the decoder will tell
            return True
        if before.pos is None or packet.pos is None:
            return False
        return restarts_between(self._path, before.stream.id, before.pos, packet.pos)

    def _mend(self, packet: Packet[Any]) -> bool:
        """Move a packet to its recording's place; say whether its stream entered another one."""
        time_base = to_fraction(packet.time_base)
        stamp = packet.dts
        if stamp is None and packet.stream.type == "audio":
            stamp = packet.pts  # of pictures it would not rise
        if time_base is None or stamp is None:
            place = self._places.get(packet.stream.index)
            if place is not None:
                _move(packet, place.recording.shift)
            return False
        place = self._places.get(packet.stream.index)
        if packet.pts is not None and abs(packet.pts - stamp) * time_base > _AHEAD:
            # FFmpeg's guess where recordings meet: from one clock to the other
            packet.pts = stamp + (0 if place is None else round(place.delay / time_base))
        at = stamp * time_base
        shown = at if packet.pts is None else packet.pts * time_base
        # no two pictures of a transport stream are decoded at once; elsewhere FFmpeg guesses
        strict = packet.stream.type == "video" and self._container.format.name == "mpegts"
        slack = Fraction(0) if strict else _BACK
        recording = self._recording(packet.stream.index, at, shown, slack)
        if place is not None and place.recording is not recording:
            lack = place.end - (shown + recording.shift)
            if packet.stream.type == "video" and 0 < lack <= _APART:
                recording.shift += lack  # pictures come one after the other
        shift = recording.shift
        if place is not None and place.recording is recording:
            self._look_for_gap(at + shift)
        lasts = (packet.duration or 0) * time_base
        if not lasts and place is not None:
            lasts = min(max(Fraction(0), at + shift - place.last), _BACK)
        end = shown + shift + lasts
        entered = place is not None and place.recording is not recording
        self._places[packet.stream.index] = _StreamPosition(
            recording,
            last=at + shift,
            due=at + shift + lasts,
            end=end if place is None else max(place.end, end),
            delay=shown - at,
            before=place if entered else None,
        )
        _move(packet, shift)
        return entered

    def _look_for_gap(self, begins: Fraction) -> None:
        """Tell of a jump ahead of all streams that stays: nobody can say what was in between."""
        if self._on_join is None or not self._jumps:
            return
        gap = begins - max(place.due for place in self._places.values())
        if gap > _GAP:
            self._on_join(gap)

    def _recording(self, index: int, at: Fraction, shown: Fraction, slack: Fraction) -> _Recording:
        """Find the recording that a packet of a stream belongs to, or begin another."""
        place = self._places.get(index)
        found = None if place is None else self._own_recording(place, at, slack)
        found = found or self._recording_of_others(index, at)
        if found is None and place is None and self._recordings and not self._jumps:
            found = self._recordings[-1]
        return found or self._next_recording(shown)

    def _own_recording(
        self, place: _StreamPosition, at: Fraction, slack: Fraction
    ) -> _Recording | None:
        """The recording that a stream is in, or has just left, if a packet goes on there."""
        here, before = at + place.recording.shift, place.before
        rises, late = here > place.last - slack, here - place.due
        if rises and abs(late) <= _BACK:
            return place.recording
        if before is not None:
            there = at + before.recording.shift
            if there > before.last and abs(there - before.due) <= _JUST:
                return before.recording  # one time stamp was wrong
        return place.recording if rises and (late <= _AHEAD or not self._jumps) else None

    def _recording_of_others(self, index: int, at: Fraction) -> _Recording | None:
        """The recording in which a packet is nearest to where the other streams are, if near."""
        place = self._places.get(index)
        others = [other.due for key, other in self._places.items() if key != index]

        def distance(each: _Recording) -> Fraction:
            return abs(at + each.shift - max(others))

        def fits(each: _Recording) -> bool:
            if place is None:
                return distance(each) <= _AHEAD
            goes_on = each is not place.recording or at + each.shift > place.last
            overlaps = at + each.shift < place.last - _OVERLAP
            return distance(each) <= _APART and goes_on and not overlaps

        fitting = filter(fits, self._recordings if others else ())
        return min(fitting, key=distance, default=None)

    def _next_recording(self, shown: Fraction) -> _Recording:
        """Begin a recording where all that was shown so far ends."""
        ends = [place.end for place in self._places.values()]
        self._recordings.append(_Recording(max(ends) - shown if ends else Fraction(0)))
        if self._on_join is not None and len(self._recordings) == 2:
            self._on_join(Fraction(0))
        return self._recordings[-1]


def tell_of_join(path: Path, gap: Fraction) -> None:
    """Warn that a file holds several recordings, or that some of one may be missing."""
    if gap:
        _log.warning(
            "%s has no pictures and no sound for %.1f s, where recordings were joined or a part is "
            "missing: the gap stays",
            path,
            float(gap),
        )
    else:
        _log.warning(
            "%s was joined from recordings with clocks of their own: times run on where they meet",
            path,
        )


def _is_closed(packet: Packet[Any]) -> bool:
    """Whether an MPEG-2 picture begins a group that needs nothing before it."""
    data = bytes(packet)[:256] if packet.stream.codec_context.name == "mpeg2video" else b""
    at = data.find(b"\0\0\1\xb8")
    return 0 <= at < len(data) - 7 and bool(data[at + 7] & 0x40)


def _move(packet: Packet[Any], shift: Fraction) -> None:
    time_base = to_fraction(packet.time_base)
    if shift and time_base is not None:
        ticks = round(shift / time_base)
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packet.pts = None if packet.pts is None else packet.pts + ticks
