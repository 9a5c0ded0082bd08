using Microsoft.Win32.SafeHandles;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Log;

/// <summary>Reads the frames of one file of the log, also while it is written to. What lies between two whole frames and is none was broken later, and is passed over.</summary>
internal sealed class LogReader(string path) : IDisposable
{
    private const int ScanBytes = 64 * 1024;

    // Clients choose some of what is in a frame, and each mark in it may be the beginning of one that is to be looked at: as much as a log that became too long for any reason.
    private const long MostLookedAt = 256 * 1024 * 1024;

    private readonly SafeFileHandle _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
    private readonly TextPool _texts = new();
    private readonly byte[] _head = new byte[LogFrame.HeadBytes];
    private byte[] _content = [];
    private long _firstBroken = -1;
    private long _brokenBytes;
    private bool _hasGivenUp;

    // Where nothing whole was found, and how long the file was.
    private (long Offset, long Length) _torn = (-1, 0);

    /// <summary>Where the next frame begins; behind the last whole one at the end.</summary>
    public long Offset { get; set; }

    /// <summary>What is broken of what was read, in words; null when nothing is. A torn end is not broken.</summary>
    public string? Damage => _hasGivenUp ? $"it is broken from byte {_torn.Offset} on, and what may be whole behind that was not looked for any further"
        : _firstBroken >= 0 ? $"{_brokenBytes} bytes of it, from byte {_firstBroken} on, are broken, and all other frames are kept"
        : null;

    /// <summary>The next whole frame's records; null behind the last.</summary>
    /// <exception cref="InvalidDataException">A frame is whole and is none that this program wrote. It stays the next.</exception>
    public ExchangeRecord[]? Next()
    {
        var at = Offset;
        if (WholeAt(at) is not (> 0 and var length))
        {
            if (FindBehind(at) is not { } found)
            {
                return null;
            }

            at = found;
            length = LogFrame.ContentLength(_head);
        }

        var version = LogFrame.VersionOf(_head);
        if (version > LogFrame.Version)
        {
            throw new InvalidDataException($"It is of version {version}, and this program knows {LogFrame.Version}.");
        }

        var source = new ByteSource(_content.AsSpan(0, length), _texts);
        var records = new ExchangeRecord[source.Count(length)];
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = RecordCodec.Read(ref source, version);
        }

        if (at > Offset)
        {
            _firstBroken = _firstBroken < 0 ? Offset : _firstBroken;
            _brokenBytes += at - Offset;
        }

        Offset = at + LogFrame.HeadBytes + length;
        return records;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The length of the content of the whole frame that begins there, which is then in the buffers; -1 when there is none.</summary>
    private int WholeAt(long offset)
    {
        if (RandomAccess.Read(_file, _head, offset) < LogFrame.HeadBytes || LogFrame.ContentLength(_head) is not (> 0 and var length) || offset + LogFrame.HeadBytes + length > RandomAccess.GetLength(_file))
        {
            return -1;
        }

        if (_content.Length < length)
        {
            _content = new byte[Math.Max(length, 256 * 1024)];
        }

        var content = _content.AsSpan(0, length);
        for (var read = 0; read < length;)
        {
            if (RandomAccess.Read(_file, content[read..], offset + LogFrame.HeadBytes + read) is not (> 0 and var more))
            {
                return -1;
            }

            read += more;
        }

        return LogFrame.IsWhole(_head, content) ? length : -1;
    }

    /// <summary>Where the first whole frame behind a place begins, which is then in the buffers; null where there is none: what is at that place is the end that a death or a full disk has left.</summary>
    private long? FindBehind(long offset)
    {
        var end = RandomAccess.GetLength(_file);
        if (_torn == (offset, end))
        {
            return null;
        }

        var bytes = new byte[ScanBytes];
        var lookedAt = 0L;
        for (var begin = offset + 1; end - begin >= LogFrame.HeadBytes;)
        {
            var read = RandomAccess.Read(_file, bytes, begin);
            for (var i = 0; read - i >= LogFrame.HeadBytes; i++)
            {
                i = LogFrame.NextMark(bytes.AsSpan(0, read), i);
                if (i < 0)
                {
                    break;
                }

                if (read - i < LogFrame.HeadBytes || LogFrame.ContentLength(bytes.AsSpan(i)) is not (> 0 and var length) || begin + i + LogFrame.HeadBytes + length > end)
                {
                    continue;
                }

                lookedAt += length;
                if (lookedAt > MostLookedAt)
                {
                    (_hasGivenUp, _torn) = (true, (offset, end));
                    return null;
                }

                if (WholeAt(begin + i) > 0)
                {
                    return begin + i;
                }
            }

            if (read < LogFrame.HeadBytes)
            {
                break;
            }

            // A head may lie across the end of what was read.
            begin += read - LogFrame.HeadBytes + 1;
        }

        _torn = (offset, end);
        return null;
    }
}

/// <summary>What is wrong with a log, in words that follow its name.</summary>
internal static class LogProblem
{
    public static string Of(InvalidDataException strange) => $"it has a frame that this program cannot read ({strange.Message}), and what comes before that frame is kept";
}
