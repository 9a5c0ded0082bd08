using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Tidegate.Dashboard.Serving;

/// <summary>What pages load: inside the assembly, read and compressed when it is asked for the first time.</summary>
internal sealed class Asset
{
    private static readonly ConcurrentDictionary<string, Asset> Loaded = new();

    private readonly byte[] _content;
    private readonly byte[] _compressed;
    private readonly string _tag;
    private readonly string _type;

    private Asset(byte[] content, string name)
    {
        _content = content;
        _tag = '"' + Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, 8)) + '"';
        _type = Path.GetExtension(name) switch { ".js" => "text/javascript; charset=utf-8", ".css" => "text/css; charset=utf-8", ".svg" => "image/svg+xml", _ => "application/octet-stream" };
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal))
        {
            gzip.Write(content);
        }

        _compressed = compressed.ToArray();
    }

    public static bool TryGet(PathString path, [NotNullWhen(true)] out Asset? asset)
    {
        asset = null;
        if (path.Value is not { } text || !text.StartsWith(DashboardPaths.Assets, StringComparison.Ordinal))
        {
            return false;
        }

        // Only names that exist are remembered: a stranger's do not fill the table.
        var name = text[1..];
        if (!Loaded.TryGetValue(name, out asset) && Load(name) is { } loaded)
        {
            asset = Loaded.GetOrAdd(name, loaded);
        }

        return asset is not null;
    }

    /// <summary>A path that changes with the content, so that a browser may keep what it got.</summary>
    public static string Versioned(string name) => TryGet("/assets/" + name, out var asset) ? $"assets/{name}?{asset._tag.Trim('"')}" : throw new ArgumentException("There is no such asset.", nameof(name));

    public async Task WriteAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = context.Request.QueryString.HasValue ? "private, max-age=31536000, immutable" : "private, no-cache";
        headers.ETag = _tag;
        headers.Vary = "Accept-Encoding";
        if (context.Request.Headers.IfNoneMatch == _tag)
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        var isCompressed = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        var content = isCompressed ? _compressed : _content;
        if (isCompressed)
        {
            headers.ContentEncoding = "gzip";
        }

        context.Response.ContentType = _type;
        context.Response.ContentLength = content.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(content, context.RequestAborted);
        }
    }

    private static Asset? Load(string name)
    {
        using var resource = typeof(Asset).Assembly.GetManifestResourceStream(name);
        if (resource is null)
        {
            return null;
        }

        using var content = new MemoryStream();
        resource.CopyTo(content);
        return new Asset(content.ToArray(), name);
    }
}
