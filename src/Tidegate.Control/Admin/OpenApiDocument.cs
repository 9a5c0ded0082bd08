namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/openapi.json</c>: what this API takes and answers. A test holds both together.</summary>
internal static class OpenApiDocument
{
    /// <summary>As shipped.</summary>
    public static ReadOnlyMemory<byte> Content { get; } = Read();

    private static byte[] Read()
    {
        using var stream = typeof(OpenApiDocument).Assembly.GetManifestResourceStream("openapi.json") ?? throw new InvalidOperationException("openapi.json is not part of this program.");
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
