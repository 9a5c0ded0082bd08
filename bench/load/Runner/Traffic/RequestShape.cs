using System.Text;

namespace Tidegate.Load.Traffic;

/// <summary>The request that a generator repeats.</summary>
/// <param name="Path">For example <c>/bytes/1024</c>.</param>
/// <param name="Key">The API key in <c>X-Api-Key</c>; null sends none.</param>
/// <param name="UploadBytes">More than 0 makes it a POST of so many bytes.</param>
internal sealed record RequestShape(string Path, string? Key = null, int UploadBytes = 0)
{
    public const string Host = "load.test";

    public byte[] ToBytes()
    {
        var key = Key is null ? "" : $"X-Api-Key: {Key}\r\n";
        var head = UploadBytes == 0
            ? $"GET {Path} HTTP/1.1\r\nHost: {Host}\r\n{key}\r\n"
            : $"POST {Path} HTTP/1.1\r\nHost: {Host}\r\n{key}Content-Type: application/json\r\nContent-Length: {UploadBytes}\r\n\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. Enumerable.Repeat((byte)'u', UploadBytes)];
    }
}
