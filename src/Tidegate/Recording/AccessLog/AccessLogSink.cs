using System.Text.Json;

namespace Tidegate.Recording.AccessLog;

/// <summary>One JSON object a line for every exchange. Credentials are not part of a record, so none can get here.</summary>
internal sealed class AccessLogSink(Stream output) : IExchangeSink
{
    public string Name => "access_log";

    public async ValueTask WriteAsync(IReadOnlyList<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        foreach (var record in batch)
        {
            using (var json = new Utf8JsonWriter(buffer))
            {
                ExchangeJson.Write(json, record);
            }

            buffer.WriteByte((byte)'\n');
        }

        await output.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), cancellationToken);
        await output.FlushAsync(cancellationToken);
    }
}
