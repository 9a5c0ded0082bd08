using System.Text.Json;

namespace Tidegate.Recording.AccessLog;

/// <summary>One JSON object a line for every exchange. Credentials are not part of a record, so none can get here.</summary>
internal sealed class AccessLogSink(Stream output) : IExchangeSink
{
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

    public async ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        if (output.CanSeek)
        {
            // The end as it is now: whoever rotates the file may have emptied it.
            output.Seek(0, SeekOrigin.End);
            if (_mayEndWithinLine && EndsWithinLine())
            {
                buffer.WriteByte((byte)'\n');
            }
        }

        foreach (var record in batch)
        {
            using (var json = new Utf8JsonWriter(buffer))
            {
                ExchangeJson.Write(json, record);
            }

            buffer.WriteByte((byte)'\n');
        }

        _mayEndWithinLine = true;
        await output.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancellationToken);
        await output.FlushAsync(cancellationToken);
        _mayEndWithinLine = false;
    }

    private bool EndsWithinLine()
    {
        if (output.Position == 0)
        {
            return false;
        }

        output.Seek(-1, SeekOrigin.End);
        return output.ReadByte() is not ('\n' or -1);
    }
}
