"""Results as a video with the time stamps of its source."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext, Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ddeal_core.errors import OutputError
from ddeal_core.media.colour import (
    coded_picture,
    deep_coded_picture,
    in_bits,
    planes_of_rgb,
    set_plane,
)
from ddeal_core.media.frame import Frame
from ddeal_core.media.identity import Settings
from ddeal_core.media.matting.background import Background
from ddeal_core.media.matting.composites import over, overlay, straight_alpha
from ddeal_core.media.matting.cutout import Cutout
from ddeal_core.media.outputs.result_writer import ResultWriter, check_size
from ddeal_core.media.outputs.sound_track import SoundTrack
from ddeal_core.media.outputs.video_recipes import LOSSLESS_ALPHA, THREADS, VideoKind, VideoRecipe
from ddeal_core.media.sources.frame_source import FrameSource
from ddeal_core.whole_files import part_of, writing

_log = logging.getLogger(__name__)
_DEFAULT_RATE = Fraction(24)


class VideoWriter(ResultWriter):
    """Encodes one composite a frame; time stamps, colour tags and sound are the source's.

    The time stamps of a source that was cut at its beginning are shifted to start at 0, and so is
    the clock of a broadcast. The same frames give the same bytes. Alpha is straight: ProRes 4444
    keeps it within 1 of 255, VP9 exactly (its alpha is coded without loss beside lossy colour).

    Where more than 8 bits are kept, pixels that show nothing but the source have its own luma and
    colour differences, brought to the recipe's sampling; HDR is kept in cut-outs of ProRes.

    Args are those of `open_writer`, and:
        recipe: What to encode.
        background: Needed for that kind, and closed with the writer.
        deep: Whether to keep the more than 8 bits that the recipe has.
        picture_size: (height, width) of the composites; the source's if None.
    """

    def __init__(
        self,
        path: Path,
        *,
        source: FrameSource,
        recipe: VideoRecipe,
        opacity: float = 0.5,
        contours: bool = True,
        background: Background | None = None,
        hard: bool = False,
        deep: bool = False,
        sound: bool = True,
        picture_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(path)
        if path.is_dir():
            raise OutputError(f"{path} is a folder; a video cannot have its name")
        self._partial = part_of(path)
        self._recipe = recipe
        self._opacity = opacity
        self._contours = contours
        self._background = background
        self._hard = hard
        self._sound = source.sound() if sound else None
        self._sound_track: SoundTrack | None = None
        self._cut_short = source.end is not None
        self._size = source.info.size
        self._picture_size = picture_size or source.info.size
        self._deep = deep and recipe.bits > 8
        if deep and recipe.codec == "libvpx-vp9":
            _log.warning("%s: VP9 is written with 8 bits; .mov and .mp4 keep more", path)
        # overlays and flat or foreign backgrounds are SDR
        self._hdr = self._deep and source.info.hdr is not None and recipe.kind == "alpha"
        self._colour = source.info.hdr if self._hdr and source.info.hdr else source.info.colour
        # the source's own planes are kept, but for mattes and for HDR that is shown as SDR
        self._own = recipe.kind != "matte" and self._hdr == (source.info.hdr is not None)
        # ProRes has no full range
        self._full = self._deep and source.info.full_range and recipe.codec != "prores_ks"
        self._shift_to_zero = source.start > 0
        self._zero = source.info.zero
        self._rate = (source.info.frame_rate or _DEFAULT_RATE).limit_denominator(1001)
        self._time_base = source.info.time_base or 1 / self._rate
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._alpha_encoder: VideoCodecContext | None = None
        self._origin: int | None = None
        self._last: int | None = None
        self._first_seconds = self._ends = Fraction(0)
        self._count = self._restamped = 0

    @property
    def kind(self) -> VideoKind:
        """What the pictures show."""
        return self._recipe.kind

    @property
    def settings(self) -> Settings:
        """What the pictures show, and how they are coded."""
        settings: dict[str, Any] = {
            "kind": self.kind,
            "codec": self._recipe.codec,
            "sound": self._sound is not None,
        }
        if self._deep:
            settings["depth"] = 16
        if self.kind == "overlay":
            return {**settings, "opacity": self._opacity, "contours": self._contours}
        if self._background is not None:
            settings["background"] = self._background.identity()
        return {**settings, "hard": self._hard}

    def write(self, frame: Frame, cutout: Cutout) -> None:
        """Compose and encode one frame."""
        check_size(frame, cutout)
        if frame.size != self._size:
            raise ValueError(f"frame {frame.index} is {frame.size}, the video {self._size}")
        timed = self._timed(frame)
        with writing(self.path, av.FFmpegError, ValueError, OverflowError):
            if self._container is None:
                self._first_seconds = self._seconds(timed)
                self._open()
            if self._sound_track is not None:
                self._sound_track.advance(self._seconds(timed))
            if self._deep:
                cutout = cutout.deep(timed.deep, hdr=self._hdr)
            self._encode(timed, cutout)
        self._count += 1
        self._ends = self._seconds(timed) + (timed.duration or 0) * self._time_base

    def finish(self) -> None:
        """Flush the encoders, close the file and give it its name."""
        if self._container is None or self._stream is None:
            raise OutputError(f"no frame came, so {self.path} was not written")
        with writing(self.path, av.FFmpegError, ValueError):
            if self._sound_track is not None:
                self._sound_track.advance(self._ends if self._cut_short else None)
                self._sound_track.finish()
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None
            self._publish(self._partial)
        if self._restamped > 1:
            _log.warning("%s: %d frames got other time stamps", self.path, self._restamped)
        self._let_go()

    def keep_part(self) -> Path:
        """See `ResultWriter`; the sound ends with the last frame."""
        self._cut_short = True
        return super().keep_part()

    def abandon(self) -> None:
        """Close and remove the unfinished file."""
        if self._container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                self._container.close()
            self._container = None
        with contextlib.suppress(OSError):
            self._partial.unlink()
        self._let_go()

    def _let_go(self) -> None:
        if self._sound is not None:
            self._sound.close()
        if self._background is not None:
            self._background.close()

    def _seconds(self, frame: Frame) -> Fraction:
        """The source's time of a frame that was given its time stamp here."""
        return ((frame.pts or 0) + (self._origin or 0)) * self._time_base

    def _open(self) -> None:
        recipe, (height, width) = self._recipe, self._picture_size
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if recipe.codec not in av.codecs_available:
            raise OutputError(
                f"{self.path} needs the encoder {recipe.codec}, which PyAV lacks here"
            )
        self._container = av.open(
            self._partial.absolute(),  # FFmpeg takes "a:" at the beginning for a protocol
            "w",
            format=recipe.container,
            options=dict(recipe.container_options),
        )
        stream = self._container.add_stream(
            recipe.codec, rate=self._rate, options=dict(recipe.options)
        )
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, recipe.pix_fmt
        context = stream.codec_context
        self._configure(context)
        # without B-frames decoding order is display order, and no container shifts time stamps
        context.max_b_frames = 0
        if recipe.codec == "libx265" and recipe.container != "matroska":
            context.codec_tag = "hvc1"  # which Apple's players ask for
        context.color_range = ColorRange.JPEG if self._full else ColorRange.MPEG
        context.colorspace = self._colour.matrix
        context.color_primaries = self._colour.primaries
        context.color_trc = self._colour.transfer
        if recipe.kind == "alpha" and recipe.codec == "libvpx-vp9":
            stream.metadata["alpha_mode"] = "1"
            encoder = CodecContext.create("libvpx-vp9", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuva420p"
            encoder.options = dict(LOSSLESS_ALPHA)
            self._configure(encoder)
            self._alpha_encoder = encoder
        self._stream = stream
        if self._sound is not None:
            self._sound_track = SoundTrack(
                self._container,
                container_name=recipe.container,
                sound=self._sound,
                origin=(self._origin or 0) * self._time_base,
                named=str(self.path),
            )

    def _configure(self, context: VideoCodecContext) -> None:
        context.time_base = self._time_base
        context.framerate = self._rate
        context.thread_count = THREADS
        context.flags |= Flags.frame_duration

    def _timed(self, frame: Frame) -> Frame:
        """Give the frame the time stamp it will be written with."""
        if frame.pts is None or frame.time_base is None:
            step = 1 / (self._rate * self._time_base)
            pts = round((frame.index if self._origin is None else self._count) * step)
        else:
            pts = round(frame.pts * frame.time_base / self._time_base)
        if self._origin is None:
            # containers and players drop what is before 0, or move it anywhere
            zero = round(self._zero / self._time_base)
            self._origin = pts if self._shift_to_zero or pts < zero else zero
        pts -= self._origin
        if self._last is not None and pts <= self._last:
            self._restamped += 1
            if self._restamped == 1:
                _log.warning(
                    "frame %d comes at time stamp %d, not after the one before; %d is written",
                    frame.index,
                    pts,
                    self._last + 1,
                )
            pts = self._last + 1
        self._last = pts
        return replace(frame, pts=pts, time_base=self._time_base)

    def prepare(self, cutout: Cutout) -> None:
        """See `ResultWriter`."""
        if not (self._hard or self._recipe.kind == "overlay"):
            cutout.soft()
            if not (self._deep or self._recipe.kind == "matte"):
                cutout.paint(hard=False)

    def _composite(self, frame: Frame, cutout: Cutout) -> NDArray[Any]:
        if self._recipe.kind == "overlay":
            return overlay(
                frame.image, cutout.labels, opacity=self._opacity, contours=self._contours
            )
        alpha = cutout.opacity(hard=self._hard)
        if self._recipe.kind == "matte":
            return np.repeat(alpha[..., None], 3, axis=2)
        if self._recipe.kind == "alpha":
            return straight_alpha(cutout.paint(hard=self._hard), alpha)
        if self._background is None:
            raise OutputError(f"{self.path} needs a background")
        first = self._first_seconds
        behind = self._background.behind(cutout, seconds=self._seconds(frame) - first)
        return over(cutout.paint(hard=self._hard), alpha, behind)

    def _encode(self, frame: Frame, cutout: Cutout) -> None:
        assert self._stream is not None
        assert self._container is not None
        image = self._composite(frame, cutout)
        picture = self._coded(frame, image[..., :3], cutout)
        if self._recipe.kind == "alpha" and self._alpha_encoder is None:
            set_plane(picture, 3, in_bits(image[..., 3], 10))
        packets = self._stream.encode(picture)
        if self._alpha_encoder is not None:
            if len(packets) != 1:
                raise OutputError(f"cannot write {self.path}: the VP9 encoder held a frame back")
            attach_alpha(packets[0], image[..., 3], self._alpha_encoder, picture)
        self._container.mux(packets)

    def _coded(self, frame: Frame, image: NDArray[Any], cutout: Cutout) -> av.VideoFrame:
        pix_fmt, tags = self._recipe.pix_fmt, self._colour
        if not self._deep:
            return coded_picture(image, pix_fmt=pix_fmt, tags=tags, timing=frame)
        planes = planes_of_rgb(image, matrix=tags.matrix, full=self._full)
        own = None
        if frame.deep is not None and self._own:
            own = frame.deep.planes(matrix=tags.matrix, full=self._full)
        if own is not None:
            untouched = (image == cutout.image).all(axis=2, keepdims=True)
            planes = np.where(untouched, own, planes)
        return deep_coded_picture(planes, pix_fmt=pix_fmt, tags=tags, timing=frame, full=self._full)


def attach_alpha(
    packet: Packet[VideoStream],
    alpha: NDArray[np.uint8],
    encoder: VideoCodecContext,
    timing: av.VideoFrame,
) -> None:
    """Code alpha by itself and attach it to the colour's packet, as WebM wants it.

    One encoder for both planes would use one quality for both: alpha off by up to 16 of 255, or
    colour without loss at ten times the size. So a second one codes alpha without loss, beside an
    empty picture, and its side data move to the packet with the colour.
    """
    height, width = alpha.shape
    blank = av.VideoFrame(width, height, "yuva420p")
    for index in range(3):
        plane = blank.planes[index]
        plane.update(bytes([128]) * plane.buffer_size)
    set_plane(blank, 3, alpha)
    blank.pts, blank.time_base = timing.pts, timing.time_base
    if packet.is_keyframe:  # so that players can seek in both
        blank.pict_type = PictureType.I
    coded = encoder.encode(blank)
    if len(coded) != 1 or not coded[0].has_sidedata("matroska_block_additional"):
        raise ValueError("the VP9 encoder gave no alpha")
    packet.set_sidedata(coded[0].get_sidedata("matroska_block_additional"))
