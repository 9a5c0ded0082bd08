using Microsoft.Win32.SafeHandles;
using Tidegate.Recording;

namespace Tidegate.Control.Store.Log;

/// <summary>Reads the frames of one file of the log, also while it is written to.</summary>
internal sealed class LogReader(string path) : IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
    private readonly TextPool _texts = new();
    private readonly byte[] _head = new byte[LogFrame.HeadBytes];
    private byte[] _content = [];

    /// <summary>Where the next frame begins; behind the last whole one at the end.</summary>
    public long Offset { get; set; }

    /// <summary>The next frame's records; null behind the last whole one.</summary>
    /// <exception cref="InvalidDataException">A frame is whole and is none that this program wrote. It stays the next.</exception>
    public ExchangeRecord[]? Next()
    {
        if (RandomAccess.Read(_file, _head, Offset) < LogFrame.HeadBytes || LogFrame.ContentLength(_head) is not (> 0 and var length))
        {
            return null;
        }

        if (_content.Length < length)
        {
            _content = new byte[Math.Max(length, 256 * 1024)];
        }

        var content = _content.AsSpan(0, length);
        for (var read = 0; read < length;)
        {
            if (RandomAccess.Read(_file, content[read..], Offset + LogFrame.HeadBytes + read) is not (> 0 and var more))
            {
                return null;
            }

            read += more;
        }

        if (!LogFrame.IsWhole(_head, content))
        {
            return null;
        }

        var version = LogFrame.VersionOf(_head);
        if (version > LogFrame.Version)
        {
            throw new InvalidDataException($"It is of version {version}, and this program knows {LogFrame.Version}.");
        }

        var source = new ByteSource(content, _texts);
        var records = new ExchangeRecord[source.Count(length)];
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = RecordCodec.Read(ref source, version);
        }

        Offset += LogFrame.HeadBytes + length;
        return records;
    }

    public void Dispose() => _file.Dispose();
}
