namespace Tidegate.Control;

/// <summary>A client may invent methods: what is kept by method has a bound.</summary>
internal static class MethodName
{
    /// <summary>Every method that HTTP does not know.</summary>
    public const string Other = "other";

    /// <summary>The method, or that it is another one.</summary>
    public static string Of(string method) => IsKnown(method) ? method : Other;

    /// <summary>Whether HTTP knows it.</summary>
    public static bool IsKnown(string method) => method is "GET" or "HEAD" or "POST" or "PUT" or "DELETE" or "CONNECT" or "OPTIONS" or "TRACE" or "PATCH" or "QUERY";
}
