// EU DSS judges detached JAdES signatures. Run: java -cp 'lib/*' Judge.java. Each line of the input is a case, five fields with tabs between: name, signature
// file, document file, the document's name, trusted certificate (DER). Each line of the output is the verdict of one case as JSON.
import eu.europa.esig.dss.diagnostic.SignatureWrapper;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.simplereport.SimpleReport;
import eu.europa.esig.dss.spi.DSSUtils;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.spi.x509.CommonTrustedCertificateSource;
import eu.europa.esig.dss.validation.SignedDocumentValidator;
import eu.europa.esig.dss.validation.policy.ValidationPolicyLoader;
import eu.europa.esig.dss.validation.reports.Reports;
import eu.europa.esig.jades.JAdESUtils;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jose4j.json.JsonUtil;

public class Judge {
    public static void main(String[] args) throws Exception {
        String policy = policy();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split("\t");
            Map<String, Object> out = new LinkedHashMap<>();
            out.put("name", f[0]);
            try {
                judge(out, policy, new File(f[1]), document(f[2], f[3]), new File(f[4]));
            } catch (Exception e) {
                out.put("error", e.getClass().getSimpleName() + ": " + e.getMessage());
            }
            System.out.println(JsonUtil.toJson(out));
        }
    }

    // DSS's own policy, but for what our signatures don't have yet: there are no revocation lists, because a seal's state is in the trust bundle.
    static String policy() throws Exception {
        try (InputStream s = Judge.class.getResourceAsStream("/policy/constraint.xml")) {
            String text = new String(s.readAllBytes(), StandardCharsets.UTF_8);
            for (String name : List.of("RevocationDataAvailable", "AcceptableRevocationDataFound")) {
                String without = text.replace("<" + name + " Level=\"FAIL\"", "<" + name + " Level=\"IGNORE\"");
                if (without.equals(text)) {
                    throw new IllegalStateException("the policy has no " + name);
                }
                text = without;
            }
            return text;
        }
    }

    static DSSDocument document(String file, String name) {
        DSSDocument d = new FileDocument(new File(file));
        d.setName(name);
        return d;
    }

    static void judge(Map<String, Object> out, String policy, File signature, DSSDocument document, File trusted) {
        CommonTrustedCertificateSource anchors = new CommonTrustedCertificateSource();
        anchors.addCertificate(DSSUtils.loadCertificate(trusted));
        CommonCertificateVerifier verifier = new CommonCertificateVerifier();
        verifier.setAIASource(null); // nothing is fetched
        verifier.setTrustedCertSources(anchors);

        DSSDocument signed = new FileDocument(signature);
        out.put("schema", JAdESUtils.getInstance().validateAgainstSchema(new String(DSSUtils.toByteArray(signed), StandardCharsets.UTF_8)));
        SignedDocumentValidator validator = SignedDocumentValidator.fromDocument(signed);
        validator.setCertificateVerifier(verifier);
        validator.setDetachedContents(List.of(document));
        ValidationPolicyLoader loader = ValidationPolicyLoader.fromValidationPolicy(new ByteArrayInputStream(policy.getBytes(StandardCharsets.UTF_8)));
        Reports reports = validator.validateDocument(loader.create());
        SimpleReport simple = reports.getSimpleReport();
        out.put("signatures", simple.getSignaturesCount());
        String id = simple.getFirstSignatureId();
        if (id == null) {
            return;
        }
        SignatureWrapper s = reports.getDiagnosticData().getSignatureById(id);
        out.put("indication", String.valueOf(simple.getIndication(id)));
        out.put("sub_indication", String.valueOf(simple.getSubIndication(id)));
        out.put("format", String.valueOf(s.getSignatureFormat()));
        out.put("structure", s.isStructuralValidationValid());
        out.put("structure_messages", s.getStructuralValidationMessages());
        out.put("signer", s.getSigningCertificate() == null ? null : s.getSigningCertificate().getCertificateDN());
        out.put("intact", s.isSignatureIntact());
        out.put("commitments", s.getCommitmentTypeIndications().stream().map(c -> c.getIdentifier()).toList());
        out.put("assertions", s.getSignedAssertions().stream().map(a -> a.getRole()).toList());
        out.put("references", s.getDigestMatchers().stream().map(d -> d.getType() + " " + d.isDataFound() + " " + d.isDataIntact()).toList());
        out.put("errors", simple.getAdESValidationErrors(id).stream().map(m -> m.getValue()).toList());
        out.put("warnings", simple.getAdESValidationWarnings(id).stream().map(m -> m.getValue()).toList());
    }
}
