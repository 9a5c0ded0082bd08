using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tidegate.Recording.AccessLog;

/// <summary>One JSON object a line for every exchange. Credentials are not part of a record, so none can get here.</summary>
internal sealed class AccessLogSink(Stream output) : IExchangeSink, IDisposable
{
    // Enough for a batch of common lines; a batch that needed more has made it larger, up to a bound.
    private const int BufferBytes = 64 * 1024;
    private const int MaxKeptBytes = 1024 * 1024;

    // Nobody reads a log as HTML, and '&', '+' and '<' are to be found by those who search it. Quotes and control characters stay escaped.
    private readonly Utf8JsonWriter _json = new(Stream.Null, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    private ArrayBufferWriter<byte> _buffer = new(BufferBytes);

    // A process that was killed, or a disk that was full, leaves half a line; the next one must not be glued to it.
    private bool _mayEndWithinLine = true;

    public string Name => "access_log";

    /// <summary>Opens a file for <see cref="AccessLogSink"/>, which adds to what is there.</summary>
    /// <param name="path">A file, a pipe or a device.</param>
    /// <exception cref="IOException">It cannot be opened; also <see cref="UnauthorizedAccessException"/>.</exception>
    public static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.OpenOrCreate,

        // Read for the last byte of what is there.
        Access = FileAccess.ReadWrite,
        Share = FileShare.Read | FileShare.Delete,

        // A batch is one write; what failed is not kept to fail again when the file is closed.
        BufferSize = 0,
    });

    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        Encode(batch.Span, beginsLine: MustBeginLine());
        _mayEndWithinLine = true;

        // On the recorder's own thread: a file's asynchronous write would be this same one on another thread, and a hop there and back.
        output.Write(_buffer.WrittenSpan);
        output.Flush();
        _mayEndWithinLine = false;
        return default;
    }

    public void Dispose() => _json.Dispose();

    private void Encode(ReadOnlySpan<ExchangeRecord> batch, bool beginsLine)
    {
        if (_buffer.Capacity > MaxKeptBytes)
        {
            _buffer = new ArrayBufferWriter<byte>(BufferBytes);
        }

        _buffer.ResetWrittenCount();
        _buffer.Write(beginsLine ? "\n"u8 : default);
        foreach (ref readonly var record in batch)
        {
            _json.Reset(_buffer);
            ExchangeJson.Write(_json, in record);
            _json.Flush();
            _buffer.Write("\n"u8);
        }
    }

    /// <summary>Goes to the end of a file, and says whether a line was broken off there.</summary>
    private bool MustBeginLine()
    {
        if (!output.CanSeek)
        {
            return false;
        }

        // The end as it is now: whoever rotates the file may have emptied it.
        output.Seek(0, SeekOrigin.End);
        if (!_mayEndWithinLine || output.Position == 0)
        {
            return false;
        }

        output.Seek(-1, SeekOrigin.End);
        return output.ReadByte() is not ('\n' or -1);
    }
}
